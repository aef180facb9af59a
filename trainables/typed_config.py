"""Makes a Config of plain data: each value arrives as what its field says, an Enum, a Path, a tuple, a dataclass."""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

C = TypeVar("C")


def build_typed(config: type[C], values: Mapping[str, Any]) -> C:
    """Returns an instance of the dataclass `config`. Values that do not fit their field are handed on as they are."""
    hints = field_types(config)  # type: ignore[arg-type]  # mypy does not know that a class is hashable.
    return config(**{name: _typed(hints.get(name, Any), value) for name, value in values.items()})


@functools.cache  # It takes a millisecond, and a study builds a config at every report.
def field_types(config: type) -> Mapping[str, Any]:
    """Returns the type of each field of a dataclass; Any where only a type checker can resolve its annotation."""
    try:
        return typing.get_type_hints(config)
    except Exception:  # One of them is wrong; the others still count.
        return {field.name: _type_of(config, field) for field in dataclasses.fields(config)}


def _type_of(config: type, field: dataclasses.Field[Any]) -> Any:
    owner = next(each for each in config.__mro__ if field.name in vars(each).get("__annotations__", ()))
    alone = types.SimpleNamespace(__annotations__={field.name: field.type})
    try:
        return typing.get_type_hints(alone, vars(sys.modules[owner.__module__]), vars(owner))[field.name]
    except Exception:
        return Any


def alternatives(hint: Any) -> list[Any]:
    """Returns the types that a union is made of; a type alone is a list of one."""
    while hasattr(hint, "__supertype__"):  # A NewType.
        hint = hint.__supertype__
    origin = get_origin(hint)
    if origin is typing.Annotated:
        return alternatives(get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return [kind for part in get_args(hint) for kind in alternatives(part)]
    return [hint]


def is_dataclass_type(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def member_of(kind: type[Enum], value: Any) -> Enum | None:
    """Returns the member of this value, else of this name, else of this name in other letters; None without one."""
    if isinstance(value, kind):
        return value
    for member in kind:
        if _equal(member.value, value):
            return member
    if isinstance(value, str):
        by_name = kind.__members__
        return by_name.get(value) or {name.casefold(): each for name, each in by_name.items()}.get(value.casefold())
    return None


def plain_member(member: Enum) -> Any:
    """Returns what stands for a member in a study file: its value, or its name where the value is no plain data."""
    return member.value if isinstance(member.value, (str, int, float, bool)) else member.name


def plain_default(value: Any) -> Any:
    """Returns a field's default as a study file would write it: plain data, as far as it can be."""
    if isinstance(value, Enum):
        return plain_member(value)
    if isinstance(value, PurePath):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain_default(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain_default(item) for item in value]
    if isinstance(value, AbstractSet):
        return sorted((plain_default(item) for item in value), key=repr)
    if isinstance(value, Mapping):
        return {key: plain_default(item) for key, item in value.items()}
    return value


class _Misfit(Exception):
    """Says that a value is none of a type."""


def _typed(hint: Any, value: Any) -> Any:
    """Returns the value as the first alternative of the type that it fits; as it is where it fits none."""
    kinds = alternatives(hint)
    for kind in sorted(kinds, key=lambda kind: kind is float):  # In `float | int` a whole number stays whole.
        try:
            return _as(kind, value)
        except _Misfit:
            continue
    return value


def _as(kind: Any, value: Any) -> Any:
    """Returns the value as `kind`, which is no union. Raises _Misfit."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is Literal:
        return _choice(arguments, value)
    if not isinstance(origin, type):
        return value
    if issubclass(origin, Enum):
        member = member_of(origin, value)
        return _fitting(member, member is not None)
    if is_dataclass_type(origin):
        return build_typed(origin, value) if isinstance(value, Mapping) else _fitting(value, isinstance(value, origin))
    if issubclass(origin, PurePath):
        return origin(value) if isinstance(value, str) else _fitting(value, isinstance(value, PurePath))
    if origin in (int, float, bool, str, type(None)):
        return _scalar(origin, value)
    if issubclass(origin, (list, tuple, AbstractSet)) or origin is Sequence:
        return _items(origin, arguments, value)
    if issubclass(origin, Mapping):
        mapping = _fitting(value, isinstance(value, Mapping))
        keys, items = arguments if len(arguments) == 2 else (Any, Any)
        return {
            _typed(keys, _number(key) if keys in (int, float) else key): _typed(items, item)
            for key, item in mapping.items()
        }
    return value


def _items(origin: type, arguments: tuple[Any, ...], value: Any) -> Any:
    """Returns a list as a list, tuple or set of typed items."""
    items = list(_fitting(value, isinstance(value, (list, tuple, set, frozenset))))
    if issubclass(origin, tuple) and arguments and arguments[-1] is not Ellipsis:
        parts = list(arguments)
        _fitting(items, len(items) == len(parts))
    else:
        parts = [arguments[0] if arguments else Any] * len(items)
    typed = [_typed(part, item) for part, item in zip(parts, items, strict=True)]
    if hasattr(origin, "_fields"):  # A named tuple.
        return origin(*typed) if len(typed) == len(origin._fields) else value
    if issubclass(origin, tuple):
        return tuple(typed)
    if issubclass(origin, set):
        return set(typed)
    return frozenset(typed) if issubclass(origin, AbstractSet) else typed


def _scalar(kind: type, value: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return _fitting(value, isinstance(value, kind) and not (isinstance(value, bool) and kind is int))


def _choice(choices: Sequence[Any], value: Any) -> Any:
    for choice in choices:
        if isinstance(choice, Enum) and member_of(type(choice), value) is choice:
            return choice
        if _equal(choice, value):
            return choice
    raise _Misfit


def _number(key: Any) -> Any:
    """Returns a mapping's key as a number again where JSON has made a text of it."""
    try:
        return float(key) if isinstance(key, str) else key
    except ValueError:
        return key


def _equal(a: Any, b: Any) -> bool:
    """Compares plain data: 1 and 1.0 are equal, 1 and true are not."""
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def _fitting(value: Any, fits: bool) -> Any:
    if not fits:
        raise _Misfit
    return value
