"""Knows how other tools write labels: what is no text to learn, and what is meant by words that are not ours."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from trainables.data.splits import SPLITS

# "Do not care": ICDAR and PaddleOCR write ### on text that nobody can read, PaddleOCR's detection * as well.
UNREADABLE = "###"
DO_NOT_CARE = (UNREADABLE, "*")

_SPLITS: Mapping[str, str] = {
    **dict.fromkeys(("training", "trn", "tr"), "train"),
    **dict.fromkeys(("validation", "valid", "validate", "dev", "development", "eval", "evaluation"), "val"),
    **dict.fromkeys(("testing", "tst", "te", "holdout"), "test"),
}
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "path": ("filename", "file_name", "file", "filepath", "file_path", "image", "image_path", "image_name", "img",
             "img_path", "name", "image_file"),
    "text": ("words", "word", "label", "labels", "transcription", "gt", "ground_truth", "sentence", "string",
             "value", "content", "text_label"),
    "split": ("set", "subset", "partition", "fold", "phase", "mode", "usage"),
}  # fmt: skip


def split_meant_by(word: str) -> str | None:
    """Returns the split that other tools call so, None for a word that none uses."""
    key = word.strip().casefold()
    return key if key in SPLITS else _SPLITS.get(key)


def meant_split(word: str) -> str:
    """Returns `; did you mean ...?` for a word in the place of a split, "" where nothing can be guessed."""
    key = word.strip().casefold()
    close = split_meant_by(word) or next(iter(difflib.get_close_matches(key, SPLITS, n=1)), None)
    return f"; did you mean `{close}`?" if close else ""


def meant_columns(header: list[str], missing: list[str]) -> str:
    """Returns which names of a header are other words for the columns that it lacks: "rename `words` to `text`"."""
    renamed = []
    for column in missing:
        other = next((name for name in _COLUMNS.get(column, ()) if header.count(name) == 1), None)
        if other is None:
            other = next(iter(difflib.get_close_matches(column, header, n=1)), None)
        if other is not None:
            renamed.append(f"`{other}` to `{column}`")
    return f"rename {' and '.join(renamed)}" if renamed else ""
