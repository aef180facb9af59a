"""Defines plain data, as YAML and JSON hold it: what is equal, what survives, how a mapping's keys are written."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from orchestrator.mistake import shown

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

LARGEST_WHOLE = 2**53  # beyond it neither a float nor a JSON reader keeps every whole number
_WHOLE_KEY = re.compile("0|-?[1-9][0-9]{0,14}")


def key_text(key: Any) -> str:
    """Returns a mapping's key as JSON would write it: 1 and true become "1" and "true"."""
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return repr(key)


def plain(value: Any) -> Any:
    """Returns the value as JSON would give it back: every key is text."""
    if isinstance(value, Mapping):
        return {key_text(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def is_number(value: Any) -> bool:
    """Returns whether it is a finite int or float that a float can hold; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


@functools.lru_cache(maxsize=4096)
def exact(number: float) -> Fraction:
    """Returns the decimal number that was typed, not the binary fraction nearest to it: 0.1 + 0.2 is 0.3."""
    return Fraction(number) if isinstance(number, int) else Fraction(str(number))


def plain_mistake(value: Any) -> str | None:
    """Returns what keeps a value from being plain data that survives JSON: not a finite number, an odd kind."""
    if value is None or isinstance(value, (bool, str)):
        return None
    if isinstance(value, (int, float)):
        return None if is_number(value) else f"must be a finite number, but got {shown(value)}"
    if not isinstance(value, (list, dict)):
        return f"must be plain data, but got a {type(value).__name__}"
    items = value.values() if isinstance(value, dict) else value
    return next((mistake for mistake in map(plain_mistake, items) if mistake), None)


def with_whole_keys(value: Any) -> Any:
    """Keys that read as whole numbers become whole numbers: in JSON, where the ledger keeps a study, all are text."""
    if isinstance(value, dict):
        return {_whole_key(key): with_whole_keys(item) for key, item in value.items()}
    return [with_whole_keys(item) for item in value] if isinstance(value, list) else value


def _whole_key(key: Any) -> Any:
    text = key_text(key)
    return int(text) if _WHOLE_KEY.fullmatch(text) else text


def canonical(value: Any) -> str:
    """Returns JSON with sorted keys in which equal values are equal text: 1 and 1.0 alike, but not 1 and true."""
    return json.dumps(_canonical(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def same(a: Any, b: Any) -> bool:
    """Returns whether two values are equal as JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(a, str) and isinstance(b, str):  # most of them, and called for every draw
        return a == b
    return canonical(a) == canonical(b)


class PlainValues:
    """Finds the value that is `same` as another one, as fast among twenty thousand as among two."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._texts: set[str] = set()
        self._others: dict[str, Any] = {}  # by their canonical text
        for value in values:
            if isinstance(value, str):
                self._texts.add(value)
            else:
                self._others.setdefault(canonical(value), value)

    def __contains__(self, value: Any) -> bool:
        return value in self._texts if isinstance(value, str) else canonical(value) in self._others

    def find(self, value: Any) -> Any:
        """Returns the one of the values that is the same; the value itself where there is none."""
        return value if isinstance(value, str) else self._others.get(canonical(value), value)


def _canonical(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_WHOLE:
        return int(value)
    if isinstance(value, dict):
        return {key_text(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    return value


def config_key(config: Mapping[str, Any]) -> str:
    """Returns text that is equal for equal configs: JSON in which 1 and 1.0 are alike, as are keys 1 and "1"."""
    return canonical(dict(config))


def plain_scalar(text: str) -> bool | int | float | str | None:
    """Returns what a scalar means in YAML 1.2: 1e-5 is a number; 22:00, yes and 2024-01-31 are text; 010 is ten."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    match = _NOT_FINITE.fullmatch(text)
    if match:
        return math.nan if match[3] else -math.inf if match[1] == "-" else math.inf
    return text
