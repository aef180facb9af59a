"""Reads the fields of a trainable's Config: the type and bounds of each, as a check and in words."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal, Union, get_args, get_origin

from orchestrator.mistake import did_you_mean, shown
from orchestrator.plain_data import is_number, plain_scalar, same, with_whole_keys
from trainables import Trainable

MISSING = dataclasses.MISSING
_BOUNDS = ("low", "high", "above", "below")
_PLAIN_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    type(None): "null",
    Any: "any value",
}


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
            return _one_of(self.choices) + _inner_words(self.type)
        if not self.bounds:
            return type_words(self.type)
        kinds = _alternatives(self.type)
        numbers = " or ".join(_words_of(kind) for kind in kinds if kind is not type(None))
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
        kinds = _alternatives(self.type)
        if Any in kinds:
            return None
        if float in kinds:
            return False
        return True if int in kinds else None

    @property
    def takes_range(self) -> bool:
        """Returns whether the field may be searched over a range."""
        kinds = _alternatives(self.type)
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
        except (TypeError, ValueError, OverflowError):
            raise WrongValue(f"must be {self.words}, but got {shown(value)}{_yes_or_no(self.type, value)}") from None
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
    try:
        hints = typing.get_type_hints(config)
    except Exception:  # Only a type checker can resolve an annotation, so that the fields take any value.
        hints = {}
    fields = [field for field in dataclasses.fields(config) if field.init]
    return {field.name: _field(field, hints.get(field.name, field.type)) for field in fields}


def _field(field: dataclasses.Field[Any], hint: Any) -> ConfigField:
    factory = field.default_factory
    choices = field.metadata.get("choices")
    return ConfigField(
        name=field.name,
        type=Any if isinstance(hint, str) else hint,
        default=factory() if callable(factory) else field.default,
        help=str(field.metadata.get("help", "")),
        choices=tuple(choices) if choices is not None else _literals(hint),
        **{bound: value for bound in _BOUNDS if is_number(value := field.metadata.get(bound))},
    )


def _literals(hint: Any) -> tuple[Any, ...] | None:
    """Returns the choices of a Literal, with None among them for `Literal[...] | None`; None where it is no Literal."""
    kinds = _alternatives(hint)
    if any(get_origin(kind) is Literal for kind in kinds) and all(
        kind is type(None) or get_origin(kind) is Literal for kind in kinds
    ):
        return tuple(choice for kind in kinds for choice in ((None,) if kind is type(None) else get_args(kind)))
    return None


def _alternatives(hint: Any) -> list[Any]:
    """Returns the types that a union is made of; a type alone is a list of one."""
    origin = get_origin(hint)
    if origin is typing.Annotated:
        return _alternatives(get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return [kind for part in get_args(hint) for kind in _alternatives(part)]
    return [hint]


def type_words(hint: Any) -> str:
    """Returns a type in words: `a whole number or null`."""
    return " or ".join(_words_of(kind) for kind in _alternatives(hint))


def _words_of(kind: Any) -> str:
    if kind in _PLAIN_WORDS:
        return _PLAIN_WORDS[kind]
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is Literal:
        return _one_of(arguments)
    if origin in (list, tuple, set, frozenset, Sequence):
        inner = [part for part in arguments if part is not Ellipsis]
        return "a list" + (f" of {_plural(inner[0])}" if inner else "")
    if origin in (dict, Mapping):
        if len(arguments) != 2:
            return "a mapping"
        return f"a mapping from {_plural(arguments[0])} to {_plural(arguments[1])}"
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return "a path"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _one_of([member.value for member in kind])
    return "any value"


def _plural(hint: Any) -> str:
    plurals: dict[Any, str] = {int: "whole numbers", float: "numbers", str: "texts"}
    return plurals.get(hint, "values") if isinstance(hint, type) else "values"


def _inner_words(hint: Any) -> str:
    return ", or a list of them" if any(get_origin(kind) in (list, tuple) for kind in _alternatives(hint)) else ""


def _one_of(choices: Sequence[Any]) -> str:
    return "one of " + ", ".join(shown(choice) for choice in choices)


def _yes_or_no(hint: Any, value: Any) -> str:
    """Returns advice where `yes` or the like was written for a field that takes true or false."""
    if (
        bool in _alternatives(hint)
        and isinstance(value, str)
        and value.casefold() in ("yes", "no", "on", "off", "y", "n")
    ):
        return "; write true or false"
    return ""


def _convert(hint: Any, value: Any) -> Any:
    """Returns the value converted to the type `hint`. Raises TypeError or ValueError."""
    failure: Exception = TypeError("no type fits")
    kinds = _alternatives(hint)
    for kind in sorted(kinds, key=lambda kind: kind is float):  # In `float | int` a whole number stays whole.
        try:
            return _as(kind, value)
        except (TypeError, ValueError) as error:
            failure = error
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
        return _expect(value, any(same(value, choice) for choice in arguments))
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
        return _expect(value, any(same(value, member.value) for member in kind))
    return with_whole_keys(value)


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
