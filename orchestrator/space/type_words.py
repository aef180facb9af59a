"""Says in words what a type takes: `a whole number or null`, `a list of numbers`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal, get_args, get_origin

from orchestrator.mistake import shown
from trainables.typed_config import alternatives, is_dataclass_type, plain_member

_PLAIN_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    type(None): "null",
    Any: "any value",
}


def type_words(hint: Any) -> str:
    """Returns a type in words: `a whole number or null`."""
    return " or ".join(words_of(kind) for kind in alternatives(hint))


def words_of(kind: Any) -> str:
    if kind in _PLAIN_WORDS:
        return _PLAIN_WORDS[kind]
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is Literal:
        return one_of(arguments)
    if origin is tuple and arguments and Ellipsis not in arguments:  # Each place has a type of its own.
        return f"a list of {len(arguments)}: " + ", ".join(map(type_words, arguments))
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
        return one_of([plain_member(member) for member in kind])
    if is_dataclass_type(kind):
        return "a mapping with " + ", ".join(f"`{field.name}`" for field in dataclasses.fields(kind) if field.init)
    return "any value"


def _plural(hint: Any) -> str:
    plurals: dict[Any, str] = {int: "whole numbers", float: "numbers", str: "texts"}
    return plurals.get(hint, "values") if isinstance(hint, type) else "values"


def inner_words(hint: Any) -> str:
    return ", or a list of them" if any(get_origin(kind) in (list, tuple) for kind in alternatives(hint)) else ""


def one_of(choices: Sequence[Any]) -> str:
    return "one of " + ", ".join(shown(choice) for choice in choices)
