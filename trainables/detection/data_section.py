"""Reads the `data:` section of a study of text detection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainables.data.data_section import DataSection

ANNOTATIONS = "annotations.json"


@dataclass(frozen=True)
class PageSection(DataSection):
    """Says where the pages are and how they are split.

    root: a folder that holds annotations.json, or `synthetic/receipts`, which draws its own.
    pages: drawn pages of train; val and test get 3 of 10 as many each. size: their side in pixels.
    hardness: 0 (flat, clean paper) to 1 (crumpled, faded, in shadow).
    For folds, fold and seed see DataSection.
    """

    pages: int = 140
    size: int = 256

    task = "text detection"
    examples = "pages"
    wanted = f"a folder that holds {ANNOTATIONS}"
    drawn_root = "synthetic/receipts"
    drawn_keys = {"pages": (4, 100_000), "size": (96, 2048)}

    @classmethod
    def _folder_mistake(cls, folder: Path) -> str | None:
        """Returns what is wrong with a folder that lacks annotations.json."""
        if (folder / ANNOTATIONS).is_file():
            return None
        what = f"has no {ANNOTATIONS}" if folder.is_dir() else "is not a folder"
        return f"{what}; correct the path or put the file there"
