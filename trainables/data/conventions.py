"""Knows how other tools write labels: what is no text to learn, and what is meant by words that are not ours."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from trainables.data.invisible import strip
from trainables.data.splits import SPLITS

# "Do not care": ICDAR and PaddleOCR write ### on text that nobody can read, PaddleOCR's detection * as well.
UNREADABLE = "###"
DO_NOT_CARE = (UNREADABLE, "*")
# Beside a text, the keys by which other labels say the same: PPOCRLabel's, those of ICDAR's LSVT and ArT, COCO-Text's.
DO_NOT_CARE_KEYS = ("difficult", "illegibility", "illegible")
_MARKS = re.compile(r"[#\uff03]{3,}")  # A wide # comes from a keyboard of East Asia.

_SPLITS: Mapping[str, str] = {
    **dict.fromkeys(("training", "trn", "tr"), "train"),
    **dict.fromkeys(("validation", "valid", "validate", "dev", "development", "eval", "evaluation"), "val"),
    **dict.fromkeys(("testing", "tst", "te", "holdout"), "test"),
}
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "path": ("filename", "file_name", "file", "filepath", "file_path", "image", "image_path", "image_name", "img",
             "img_path", "name", "image_file"),
    "text": ("words", "word", "label", "labels", "transcription", "transcript", "gt", "ground_truth", "sentence",
             "string", "value", "content", "text_label"),
    "split": ("set", "subset", "partition", "fold", "phase", "mode", "usage"),
}  # fmt: skip


def do_not_care(text: str, *, page: bool = False) -> str | None:
    """Returns which of DO_NOT_CARE a text is, None for one to be learnt.

    Only on a page is it `*`, too: one crop may well show a *. Blanks and invisible characters at its ends, and further
    or wide #, change nothing.
    """
    text = strip(text)
    if _MARKS.fullmatch(text):
        return UNREADABLE
    return text if page and text in DO_NOT_CARE else None


def said_not_to_care(label: Mapping[str, Any]) -> str | None:
    """Returns the key by which another tool says that the text of a label is to be ignored, None where none does."""
    return next((key for key in DO_NOT_CARE_KEYS if label.get(key) in (True, 1, "1", "true", "True")), None)


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
    plain = [re.sub(r"[\s-]+", "_", name) for name in header]  # Image Name is image_name.
    for column in missing:
        found = next((name for name in _COLUMNS.get(column, ()) if plain.count(name) == 1), None)
        other = None if found is None else header[plain.index(found)]
        if other is None:
            other = next(iter(difflib.get_close_matches(column, header, n=1)), None)
        if other is not None:
            renamed.append(f"`{other}` to `{column}`")
    return f"rename {' and '.join(renamed)}" if renamed else ""
