"""Reads the fields of a trainable's Config: the type and bounds of each, as a check and in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal, get_args, get_origin

from orchestrator.mistake import did_you_mean, shown, unknown_field
from orchestrator.plain_data import is_number, plain_scalar, same, with_whole_keys
from orchestrator.space.type_words import inner_words, one_of, type_words, words_of
from trainables import Trainable
from trainables.typed_config import (
    alternatives,
    field_types,
    is_dataclass_type,
    member_of,
    plain_default,
    plain_member,
)

MISSING = dataclasses.MISSING
_BOUNDS = ("low", "high", "above", "below")


class WrongValue(ValueError):
    """Says that a field cannot take a value, as `must be ..., but got X`."""


@dataclass(frozen=True, slots=True)
class ConfigField:
    """Describes one field of a Config. default: MISSING where it has none.

    `low` and `high` are inclusive bounds, `above` and `below` exclusive ones. They also bound the numbers inside a list
    or a mapping.
    """

    name: str
    type: Any
    default: Any = MISSING
    help: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[Any, ...] | None = None

    @property
    def required(self) -> bool:
        return self.default is MISSING

    @property
    def words(self) -> str:
        """Says what a value must be: `a number, above 0`, `one of 'adamw', 'sgd'`."""
        if self.choices is not None:
            return one_of(self.choices) + inner_words(self.type)
        if not self.bounds:
            return type_words(self.type)
        kinds = alternatives(self.type)
        numbers = " or ".join(words_of(kind) for kind in kinds if kind is not type(None))
        return ", ".join([numbers, *self.bounds, *(["or null"] if type(None) in kinds else [])])

    @property
    def limits(self) -> dict[str, float]:
        """Returns the bounds that there are by name: {"low": 1, "below": 2.0}."""
        return {name: bound for name in _BOUNDS if (bound := getattr(self, name)) is not None}

    @property
    def bounds(self) -> list[str]:
        """Lists the bounds in words: `above 0`, `at most 1`."""
        bounds = (("at least", self.low), ("above", self.above), ("at most", self.high), ("below", self.below))
        return [f"{word} {shown(bound).removesuffix('.0')}" for word, bound in bounds if bound is not None]

    @property
    def whole(self) -> bool | None:
        """Returns whether a range of this field is one of whole numbers (True) or of real ones (False).

        None where the field takes no numbers, or any value at all.
        """
        kinds = alternatives(self.type)
        if Any in kinds:
            return None
        if float in kinds:
            return False
        return True if int in kinds else None

    @property
    def takes_range(self) -> bool:
        """Returns whether the field may be searched over a range."""
        kinds = alternatives(self.type)
        return any(kind in (int, float, Any) for kind in kinds) and self.choices is None

    def read(self, value: Any) -> Any:
        """Converts the value to the field's type: 1 becomes 1.0 in a float field, "1" the key 1 of a dict[int, ...].

        Raises WrongValue.
        """
        if self.choices is not None and not any(same(value, choice) for choice in self.choices):
            elements = value if isinstance(value, (list, tuple)) else None
            if elements is None or not all(any(same(item, choice) for choice in self.choices) for item in elements):
                hint = did_you_mean(value, [choice for choice in self.choices if isinstance(choice, str)])
                raise WrongValue(f"must be {self.words}, but got {shown(value)}{hint}")
        try:
            converted = _convert(self.type, value)
        except WrongValue:  # It says which field of a dataclass within is wrong.
            raise
        except (TypeError, ValueError, OverflowError):
            raise WrongValue(f"must be {self.words}, but got {shown(value)}{_advice(self.type, value)}") from None
        for number in _numbers(converted):
            if not self._bounded(number):
                got = shown(value) if number is converted else f"{shown(number)} in {shown(value)}"
                raise WrongValue(f"must be {self.words}, but got {got}")
        return converted

    def _bounded(self, number: float) -> bool:
        return (
            (self.low is None or number >= self.low)
            and (self.high is None or number <= self.high)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )


def config_fields(config: type | None) -> dict[str, ConfigField] | None:
    """Returns the fields of a Config dataclass by name, with their types resolved; None for None."""
    if config is None:
        return None
    hints = field_types(config)
    return {field.name: _field(field, hints[field.name]) for field in dataclasses.fields(config) if field.init}


def _field(field: dataclasses.Field[Any], hint: Any) -> ConfigField:
    factory = field.default_factory
    choices = field.metadata.get("choices")
    return ConfigField(
        name=field.name,
        type=hint,
        default=plain_default(factory() if callable(factory) else field.default),
        help=str(field.metadata.get("help", "")),
        choices=tuple(map(plain_default, choices)) if choices is not None else _literals(hint),
        **{bound: value for bound in _BOUNDS if is_number(value := field.metadata.get(bound))},
    )


def _literals(hint: Any) -> tuple[Any, ...] | None:
    """Returns the choices of a Literal, with None among them for `Literal[...] | None`; None where it is no Literal."""
    kinds = alternatives(hint)
    if any(get_origin(kind) is Literal for kind in kinds) and all(
        kind is type(None) or get_origin(kind) is Literal for kind in kinds
    ):
        found = (choice for kind in kinds for choice in ((None,) if kind is type(None) else get_args(kind)))
        return tuple(map(plain_default, found))
    return None


def _advice(hint: Any, value: Any) -> str:
    """Returns advice where a member of an Enum is misspelt, or `yes` was written for true."""
    for kind in alternatives(hint):
        if isinstance(kind, type) and issubclass(kind, Enum):
            return did_you_mean(value, [str(plain_member(member)) for member in kind])
    if (
        bool in alternatives(hint)
        and isinstance(value, str)
        and value.casefold() in ("yes", "no", "on", "off", "y", "n")
    ):
        return "; write true or false"
    return ""


def _convert(hint: Any, value: Any) -> Any:
    """Returns the value converted to the type `hint`. Raises TypeError or ValueError."""
    failure: Exception = TypeError("no type fits")
    kinds = alternatives(hint)
    for kind in sorted(kinds, key=lambda kind: kind is float):  # In `float | int` a whole number stays whole.
        try:
            return _as(kind, value)
        except WrongValue as wrong:  # It says more than that another alternative does not fit.
            failure = wrong
        except (TypeError, ValueError) as error:
            failure = failure if isinstance(failure, WrongValue) else error
    raise failure


def _as(kind: Any, value: Any) -> Any:
    """Returns the value converted to `kind`, which is no union. Raises TypeError or ValueError."""
    if kind is int:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return _expect(value, isinstance(value, int) and not isinstance(value, bool))
    if kind is float:
        return float(_expect(value, is_number(value)))
    if kind in (bool, str, type(None)):
        return _expect(value, isinstance(value, kind))
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is Literal:
        return _expect(value, any(same(value, plain_default(choice)) for choice in arguments))
    if origin in (list, tuple, set, frozenset, Sequence):
        items = list(_expect(value, isinstance(value, (list, tuple))))
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            return [_convert(part, item) for part, item in zip(arguments, items, strict=True)]
        return [_convert(arguments[0] if arguments else Any, item) for item in items]
    if origin in (dict, Mapping):
        mapping = _expect(value, isinstance(value, dict))
        if len(arguments) != 2:
            return with_whole_keys(mapping)
        converted = {_key_as(arguments[0], key): _convert(arguments[1], item) for key, item in mapping.items()}
        return _expect(converted, len(converted) == len(mapping))  # 1 and 01 are the same key.
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return _expect(value, isinstance(value, str))
    if isinstance(kind, type) and issubclass(kind, Enum):
        member = member_of(kind, value)
        return plain_member(_expect(member, member is not None))
    if is_dataclass_type(kind):
        return _nested(kind, _expect(value, isinstance(value, dict)))
    return with_whole_keys(value)


def _nested(kind: type, value: dict[Any, Any]) -> dict[str, Any]:
    """Returns the values of a dataclass within a Config, each converted to its field. Raises WrongValue."""
    fields = config_fields(kind) or {}
    for name in value:
        if name not in fields:
            raise WrongValue(f"must hold the fields of {kind.__name__}, but got {unknown_field(str(name), fields)}")
    for name, field in fields.items():
        if field.required and name not in value:
            raise WrongValue(f"must hold `{name}`, {field.words}, but got {shown(value)}; add it")
    read = {}
    for name, item in value.items():
        try:
            read[name] = fields[name].read(item)
        except WrongValue as wrong:
            raise WrongValue(f"`{name}` {wrong}") from None
    return read


def _key_as(hint: Any, key: Any) -> Any:
    """Returns a mapping's key converted to `hint`; a number that JSON turned into text becomes a number again."""
    return _convert(hint, plain_scalar(key) if isinstance(key, str) and hint in (int, float) else key)


def _expect(value: Any, fits: bool) -> Any:
    if not fits:
        raise TypeError(f"got {shown(value)}")
    return value


def _numbers(value: Any) -> list[float]:
    """Returns the numbers in a value, at any depth; the keys of a mapping do not count."""
    if isinstance(value, bool):
        return []
    if isinstance(value, (int, float)):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [number for item in items for number in _numbers(item)]


def defaults_of(trainable: Trainable) -> dict[str, Any]:
    """Returns the value that the trainable uses for each name that is not given; {} where it has no Config."""
    fields = config_fields(trainable.Config) or {}
    return {name: field.default for name, field in fields.items() if not field.required}
