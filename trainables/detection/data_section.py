"""The `data:` section of a study of text detection: its keys, their bounds, and every mistake in them at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from trainables.data.data_keys import DEALING, fold_mistakes, share_mistakes, unknown_keys, whole_number_mistakes

DRAWN_RECEIPTS = "synthetic/receipts"
_DRAWN_ONLY = ("pages", "size", "hardness")
_WHOLE = {"pages": (4, 100_000), "size": (96, 2048)} | DEALING


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
        mistakes = [
            *unknown_keys(data, (field.name for field in fields(DataSection))),
            *_root_mistakes(data),
            *whole_number_mistakes(data, _WHOLE),
            *share_mistakes(data, ("hardness",)),
            *fold_mistakes(data),
        ]
        if mistakes:
            raise ValueError("\n".join(mistakes))
        values = {key: value for key, value in data.items() if value is not None}
        return cls(**values | {"root": str(values["root"])})


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
