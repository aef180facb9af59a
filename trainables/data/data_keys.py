"""Finds the mistakes that can be made with the keys of a `data:` section, whatever the task."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

DEALING = {"seed": (0, 2**31 - 1), "folds": (2, 1000), "fold": (0, 999)}  # inclusive bounds, the same for all tasks


def unknown_keys(data: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    """Returns a line for each key that is not one of `known`, with a suggestion."""
    names = list(known)
    mistakes = []
    for key in data:
        if key not in names:
            close = difflib.get_close_matches(str(key), names, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(names)}"
            mistakes.append(f"data: unknown key `{key}`; {hint}")
    return mistakes


def whole_number_mistakes(data: Mapping[str, Any], bounds: Mapping[str, tuple[int, int]]) -> list[str]:
    """Returns a line for each key whose value is no whole number within its inclusive bounds; None passes."""
    return [
        f"data.{key}: must be a whole number from {low} to {high}, but got {data[key]!r}"
        for key, (low, high) in bounds.items()
        if data.get(key) is not None and not (type(data[key]) is int and low <= data[key] <= high)
    ]


def share_mistakes(data: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Returns a line for each of `keys` whose value is no number from 0 to 1; absent and None pass."""
    return [
        f"data.{key}: must be a number from 0 to 1, but got {data[key]!r}"
        for key in keys
        if data.get(key) is not None and not (type(data[key]) in (int, float) and 0 <= data[key] <= 1)
    ]


def choice_mistakes(data: Mapping[str, Any], key: str, choices: Sequence[str]) -> list[str]:
    """Returns a line where the value of `key` is none of `choices`; absent and None pass."""
    if data.get(key) is None or data[key] in choices:
        return []
    return [f"data.{key}: must be {' or '.join(choices)}, but got {data[key]!r}"]


def fold_mistakes(data: Mapping[str, Any]) -> list[str]:
    """Returns a line where `folds` and `fold` contradict each other."""
    folds, fold = data.get("folds"), data.get("fold")
    if fold is not None and folds is None:
        return [f"data.fold: needs `folds`, the number of parts, but got fold {fold!r} alone; add `folds: 5`"]
    if isinstance(folds, int) and isinstance(fold, int) and fold >= folds:
        return [f"data.fold: fold < folds must hold (the first fold is 0), but got fold {fold} of {folds}"]
    return []
