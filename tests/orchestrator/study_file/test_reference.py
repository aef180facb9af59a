"""Checks that the generated page and schema are up to date, and agree with what checks the study file."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest

from orchestrator.mistake import Mistakes
from orchestrator.space.config_field import config_fields
from orchestrator.space.domain_parser import KEYS
from orchestrator.space.space_parser import parse_space
from orchestrator.study_file import reference
from orchestrator.study_file.schema import study_schema
from orchestrator.study_file.study_spec import DEFAULT_TRIALS, SECTIONS, WRITTEN, load_study, parse_study
from orchestrator.study_file.yaml_file import parse_yaml, write_yaml
from tests.harness.folders import REPOSITORY
from trainables.trainable import BUILT_IN, setting

FILES = reference.written()
PAGE = FILES[reference.DOCS / "search-space.md"]
SCHEMA = json.loads(FILES[reference.DOCS / "study.schema.json"])
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
MINIMAL = {"study": "s", "trainable": "x.y:z", "objective": {"metric": "m", "mode": "min"}, "space": {"a": 1}}


def schema_refuses(raw: Any, schema: dict[str, Any] = SCHEMA) -> bool:
    return next(jsonschema.Draft202012Validator(schema).iter_errors(raw), None) is not None


@dataclass(frozen=True)
class Config:
    """Has a field of each kind, so that the table and the schema can be compared by eye."""

    size: int
    lr: float = setting(1e-3, "peak learning rate | of Adam", above=0)
    mode: Literal["a", "b"] | None = setting("a", "which way")
    clip: float | None = setting(None, "largest norm", low=0, high=10)
    stages: list[int] = setting([1, 2], "which stages")  # noqa: RUF009


def test_the_written_files_are_fresh():
    assert reference.stale(FILES) == [], f"stale; type: {reference.COMMAND}"


def test_stale_files_are_named_with_what_to_type(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "DOCS", tmp_path)
    assert reference.main(["--check"]) == 1
    assert "search-space.md is stale" in capsys.readouterr().err
    assert reference.main([]) == 0 and reference.main(["--check"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"search-space.md", "study.schema.json"}


def test_every_key_of_the_file_is_on_the_page():
    for name in WRITTEN:
        assert f"\n## {name}\n" in PAGE
    for model in SECTIONS.values():
        for key in model.model_fields:
            assert f"| `{key}` |" in PAGE
    for key in KEYS:
        assert f"| `{key}` |" in PAGE
    assert f"{DEFAULT_TRIALS} trials where neither" in PAGE


def test_every_setting_of_every_built_in_trainable_is_on_the_page_with_its_help():
    for name, fields in reference.built_in().items():
        section = PAGE.split(f"## The settings of {name}\n")[1].split("\n## ")[0]
        assert len(re.findall(r"^\| `", section, re.MULTILINE)) == len(fields)
        for field in fields.values():
            assert f"| `{field.name}` |" in section and field.help.replace("|", "\\|") in section
            assert field.help, f"{name}: {field.name} has no help"
    assert set(reference.built_in()) == set(BUILT_IN)


def test_the_table_of_a_config_says_types_bounds_and_defaults():
    table = reference.page({"mine": config_fields(Config)}).split("## The settings of mine\n")[1].strip()
    assert table == textwrap.dedent("""\
        | name | type | default | meaning |
        | --- | --- | --- | --- |
        | `size` | a whole number | required |  |
        | `lr` | a number, above 0 | `0.001` | peak learning rate \\| of Adam |
        | `mode` | one of 'a', 'b', null | `'a'` | which way |
        | `clip` | a number, at least 0, at most 10, or null | `null` | largest norm |
        | `stages` | a list of whole numbers | `[1, 2]` | which stages |""")


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_on_the_page_is_yaml_that_the_checks_and_the_schema_accept(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mistakes = Mistakes()
    value = parse_yaml(block, mistakes)
    assert list(mistakes) == []
    if "study" in value and "trainable" in value:
        (tmp_path / "s.yaml").write_text(block)
        load_study(tmp_path / "s.yaml")
        assert not schema_refuses(value)
    elif "extends" in value:
        assert not schema_refuses(value)
    elif set(value) == {"space"}:
        parse_space(value["space"], [], None, mistakes)
        assert [str(mistake) for mistake in mistakes] == []
        assert not schema_refuses(MINIMAL | json.loads(json.dumps(value)))
    else:
        (section,) = value
        assert section in WRITTEN and not schema_refuses(MINIMAL | value)
        if section in SECTIONS:
            SECTIONS[section].model_validate(value[section])


@pytest.mark.parametrize("path", sorted((REPOSITORY / "search_spaces").glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_study_file_meets_the_schema(path: Path):
    assert not schema_refuses(json.loads(json.dumps(parse_yaml(path.read_text(), Mistakes()))))


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, False),
        ({"nightly": {}}, True),
        ({"study": "a b"}, True),
        ({"objective": {"metric": "m", "mode": "maximum"}}, True),
        ({"objective": {"metric": "m"}}, True),
        ({"budget": {"trials": 0}}, True),
        ({"budget": {"until": "7:30"}}, False),
        ({"budget": {"until": "24:30"}}, True),
        ({"budget": None, "baselines": None, "constraints": None, "data": None}, False),
        ({"resources": {"gpu": "auto", "cpu": 0.5, "concurrent": 2}}, False),
        ({"resources": {"gpu": "all"}}, True),
        ({"scheduler": {"name": "hyperband"}}, True),
        ({"space": {"a": {"low": 1, "high": 2, "log": True, "when": {"b": [1]}}, "b": 1}}, None),
        ({"space": {"a": {"low": 1, "hi": 2}}}, True),
        ({"space": {"a": {"low": "x", "high": 2}}}, True),
        ({"space": {"a": []}}, True),
        ({"space": {"a": {"1": 640}}}, True),
        ({"space": {"a": [1, 2], "b": {"by": "a", "1": {"low": 1, "high": 2}, "default": {"value": [1]}}}}, False),
        ({"space": {"a": [1, 2], "b": {"by": "a", "default": {"low": 1, "high": 2, "when": {"a": 1}}}}}, True),
        ({"space": None}, True),
        ({"constraints": "a < 1"}, True),
        ({"constraints": ["a < 2"], "baselines": [{"name": "x", "a": 1}]}, False),
        ({"baselines": {"a": 1}}, True),
        ({"source": {"study": "x", "trial": 7}}, False),
        ({"source": {"study": "x"}}, True),
    ],
)
def test_the_schema_refuses_what_the_checks_refuse(change, refused, tmp_path, monkeypatch):
    (tmp_path / "plain_trainable_of_the_reference.py").write_text("def train(config, run):\n    yield {}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    raw = MINIMAL | {"trainable": "plain_trainable_of_the_reference"} | change
    if refused is None:  # A name may come too late, which no schema can express.
        assert not schema_refuses(raw)
        return
    assert schema_refuses(raw) == refused
    try:
        parse_study(raw, "s.yaml")
    except ValueError:
        assert refused
    else:
        assert not refused


def test_the_schema_knows_the_names_of_a_trainable_and_no_others():
    schema = study_schema({"mine": config_fields(Config)})
    known = MINIMAL | {"trainable": "mine", "space": {"size": 3, "lr": [1, 2]}}
    assert not schema_refuses(known, schema)
    assert schema_refuses(known | {"space": {"sise": 3}}, schema)
    assert not schema_refuses(known | {"trainable": "other", "space": {"sise": 3}}, schema)
    names = schema["allOf"][0]["then"]["properties"]["space"]["properties"]
    assert names["clip"]["description"] == (
        "Largest norm. Must be a number, at least 0, at most 10, or null. Default: null."
    )


def test_a_file_that_extends_another_need_not_be_whole():
    assert not schema_refuses({"extends": "base.yaml", "space": {"lr": 1e-3}})
    assert schema_refuses({"space": {"lr": 1e-3}})


def test_what_is_written_for_a_winner_meets_the_schema():
    source = {"study": "s", "trial": 3, "value": 0.5, "epoch": 2, "checkpoint": "runs/s/trials/0003"}
    text = write_yaml(MINIMAL | {"space": {"lr": 1e-5, "resolution": {"value": {1: 640}}}, "source": source})
    assert not schema_refuses(json.loads(json.dumps(parse_yaml(text, Mistakes()))))
