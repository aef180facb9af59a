"""Derives a JSON Schema of study files, for editors, from the models, domains and Config fields that check them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.mistake import shown
from orchestrator.space.config_field import ConfigField
from orchestrator.space.domain_parser import KEYS
from orchestrator.study_file.sections import NAME_PATTERN, Section
from orchestrator.study_file.study_spec import SECTIONS, WRITTEN, StudySpec

Schema = dict[str, Any]
EXTENDS = "Another study file, relative to this one, that this one changes."
SCALAR = ["string", "number", "boolean", "null"]


def study_schema(trainables: Mapping[str, Mapping[str, ConfigField]]) -> Schema:
    """Returns the JSON Schema, draft 2020-12. trainables: for each name, the fields of its Config."""
    required = [name for name in WRITTEN if StudySpec.model_fields[name].is_required()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A nightsweep study file",
        "type": "object",
        "properties": {
            "extends": {"type": "string", "description": EXTENDS},
            **{name: _key_schema(name) for name in WRITTEN},
        },
        "additionalProperties": False,
        "anyOf": [{"required": required}, {"required": ["extends"]}],
        "allOf": [_names_of(name, fields) for name, fields in trainables.items()],
        "$defs": _domain_schemas(),
    }


def _key_schema(name: str) -> Schema:
    """Returns the schema of one key of a study file."""
    described = {"description": StudySpec.model_fields[name].description}
    if name in SECTIONS:
        section = _section_schema(SECTIONS[name])
        if StudySpec.model_fields[name].is_required():
            return described | section
        return described | {"anyOf": [section, {"type": "null"}]}
    kinds: dict[str, Schema] = {
        "data": {"type": ["object", "null"], "properties": {"root": {"type": "string", "minLength": 1}}},
        "space": {"type": "object", "additionalProperties": {"$ref": "#/$defs/domain"}},
        "storage": {"type": ["string", "null"], "minLength": 1},
        "constraints": {"type": ["array", "null"], "items": {"type": "string"}},
        "warm_start": {"type": ["array", "null"], "items": {"type": "string", "pattern": NAME_PATTERN}},
        "baselines": {
            "type": ["array", "null"],
            "items": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
    }
    return described | (kinds[name] if name in kinds else _text_schema(name))


def _text_schema(name: str) -> Schema:
    """Returns the schema of `study` or `trainable`, with the pattern that the model gives it."""
    pattern = [item.pattern for item in StudySpec.model_fields[name].metadata if getattr(item, "pattern", None)]
    return {"type": "string", "minLength": 1} | ({"pattern": pattern[0]} if pattern else {})


def _section_schema(model: type[Section]) -> Schema:
    return _without_titles(model.model_json_schema())


def _without_titles(schema: Any) -> Any:
    """Returns the schema without pydantic's titles, which repeat the names; a property called `title` stays."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_titles(item) for key, item in schema.items() if key != "title" or isinstance(item, dict)}


def _names_of(trainable: str, fields: Mapping[str, ConfigField]) -> Schema:
    """Returns the rule that `space` may hold only the names of the Config where this trainable is named."""
    names = {
        name: {"allOf": [{"$ref": "#/$defs/domain"}], "description": field_description(field)}
        for name, field in fields.items()
    }
    return {
        "if": {"properties": {"trainable": {"const": trainable}}, "required": ["trainable"]},
        "then": {"properties": {"space": {"properties": names, "additionalProperties": False}}},
    }


def field_description(field: ConfigField) -> str:
    """Returns what an editor shows about one name of `space`: its help, what it must be, its default."""
    default = "" if field.required else f" Default: {shown(field.default)}."
    said = field.help[:1].upper() + field.help[1:] + "." if field.help else ""
    return f"{said} Must be {field.words}.{default}".strip()


def _domain_schemas() -> Schema:
    """Returns the schema of a domain, and of a branch: a domain below `by`, without a `when` or `by` of its own."""
    when = {"when": {"type": "object", "minProperties": 1, "description": KEYS["when"]}}
    number = {"type": "number"}
    forms: dict[str, tuple[Schema, list[str]]] = {
        "range": (
            {"low": number, "high": number, "log": {"type": "boolean"}, "step": {"type": ["number", "null"]}},
            ["low", "high"],
        ),
        "choice": ({"choices": {"type": "array", "minItems": 1}}, ["choices"]),
        "fixed": ({"value": {}}, ["value"]),
    }
    simple = [{"type": SCALAR}, {"type": "array", "minItems": 1}]
    inner = [_form(properties, required, {}) for properties, required in forms.values()]
    outer = [_form(properties, required, when) for properties, required in forms.values()]
    by = _form({"by": {"type": "string"}, "default": {"$ref": "#/$defs/branch"}}, ["by"], when)
    by["additionalProperties"] = {"$ref": "#/$defs/branch"}
    return {
        "branch": {"description": "The domain beside one value of the name in `by`.", "anyOf": [*simple, *inner]},
        "domain": {"description": "The values that a name may take.", "anyOf": [*simple, *outer, by]},
    }


def _form(properties: Schema, required: list[str], more: Schema) -> Schema:
    """Returns the schema of a mapping that has these properties and no others; each is described."""
    described = {key: {**schema, "description": KEYS[key]} for key, schema in properties.items()}
    return {
        "type": "object",
        "properties": {**described, **more},
        "required": required,
        "additionalProperties": False,
    }
