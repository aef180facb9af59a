"""The `data:` section of a study of text detection: its keys, their bounds, and every mistake in them at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

DRAWN_RECEIPTS = "synthetic/receipts"
_DRAWN_ONLY = ("pages", "size", "hardness")
_WHOLE = {"pages": (4, 100_000), "size": (96, 2048), "seed": (0, 2**31 - 1), "folds": (2, 1000), "fold": (0, 999)}


@dataclass(frozen=True)
class DataSection:
    """Where the pages are and how they are split.

    root: a folder that holds annotations.json, or `synthetic/receipts`, which draws its own.
    pages: drawn pages of train; val and test get 3 of 10 as many each. size: their side in pixels.
    hardness: 0 (flat, clean paper) to 1 (crumpled, faded, in shadow).
    folds, fold: deal train and val anew into `folds` parts, of which part `fold` (from 0) is val.
    seed: of the drawing and of the dealing.
    """

    root: str
    pages: int = 140
    size: int = 256
    hardness: float = 0.5
    folds: int | None = None
    fold: int = 0
    seed: int = 0

    @property
    def drawn(self) -> bool:
        return self.root == DRAWN_RECEIPTS

    @property
    def folder(self) -> Path:
        return Path(self.root)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> DataSection:
        """Raises ValueError, a line for each mistake: `data.KEY: what must hold, but got X; what to do`."""
        mistakes = [*_unknown(data), *_root_mistakes(data), *_number_mistakes(data), *_fold_mistakes(data)]
        if mistakes:
            raise ValueError("\n".join(mistakes))
        values = {key: value for key, value in data.items() if value is not None}
        return cls(**values | {"root": str(values["root"])})


def _unknown(data: Mapping[str, Any]) -> list[str]:
    known = [field.name for field in fields(DataSection)]
    mistakes = []
    for key in data:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(known)}"
            mistakes.append(f"data: unknown key `{key}`; {hint}")
    return mistakes


def _root_mistakes(data: Mapping[str, Any]) -> list[str]:
    root = data.get("root")
    wanted = f"data.root: must be a folder that holds annotations.json, or {DRAWN_RECEIPTS}"
    if not isinstance(root, (str, Path)) or not str(root):
        return [f"{wanted}, but got {'nothing' if root is None else repr(root)}; give its path"]
    if str(root) == DRAWN_RECEIPTS:
        return []
    if str(root).startswith("synthetic/"):
        return [f"{wanted}, but got {str(root)!r}; nothing else is drawn for text detection"]
    mistakes = [
        f"data.{key}: is for {DRAWN_RECEIPTS} alone, but root is {root}; remove it"
        for key in _DRAWN_ONLY
        if key in data
    ]
    if not (Path(root) / "annotations.json").is_file():
        what = "has no annotations.json" if Path(root).is_dir() else "is not a folder"
        mistakes.append(f"{wanted}, but {Path(root).absolute()} {what}; correct the path or put the file there")
    return mistakes


def _number_mistakes(data: Mapping[str, Any]) -> list[str]:
    mistakes = []
    for key, (low, high) in _WHOLE.items():
        value = data.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            mistakes.append(f"data.{key}: must be a whole number from {low} to {high}, but got {value!r}")
    hardness = data.get("hardness", 0.5)
    if isinstance(hardness, bool) or not isinstance(hardness, (int, float)) or not 0 <= hardness <= 1:
        mistakes.append(f"data.hardness: must be a number from 0 to 1, but got {hardness!r}")
    return mistakes


def _fold_mistakes(data: Mapping[str, Any]) -> list[str]:
    folds, fold = data.get("folds"), data.get("fold")
    if fold is not None and folds is None:
        return [f"data.fold: needs `folds`, the number of parts, but got fold {fold!r} alone; add `folds: 5`"]
    if isinstance(folds, int) and isinstance(fold, int) and fold >= folds:
        return [f"data.fold: fold < folds must hold (the first fold is 0), but got fold {fold} of {folds}"]
    return []
