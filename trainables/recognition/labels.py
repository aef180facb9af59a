"""Reads what is written on crops, from labels.csv or PaddleOCR's text files; names every mistake by file and line.

No torch here.
"""

from __future__ import annotations

import csv
import io
import os
import posixpath
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from trainables.data.label_mistakes import raise_mistakes
from trainables.data.splits import SPLITS, Split
from trainables.data.spreadsheet import written
from trainables.data.text_file import read_utf8
from trainables.recognition.charset import name_character, normalise
from trainables.recognition.data_section import CropSection, LabelFile

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True)
class Label:
    """Holds what one crop says.

    path: of the crop, from the root, with `/`. text: composed (NFC), not empty, one line. where: FILE:LINE.
    group: what the crop was cut from or shows (a page, a vehicle), None where the labels do not say.
    """

    path: str
    text: str
    split: Split | None
    group: str | None
    where: str


def read_labels(section: CropSection, *, strict: bool = True) -> tuple[Label, ...]:
    """Returns the labels of all files of `section`, in their order.

    A .csv file has a header with the columns `path` and `text`, `split` unless data.labels or data.folds make it
    needless, and `group` or `page` where crops belong together (`group` counts where there are both). Other columns are
    ignored, but `confidence` says that `tune predict` wrote the file, whose apostrophes before formulas are no part of
    a text. Any other file has `path<TAB>text` in each line. Unless `strict`, crops and splits may be missing.
    Raises OSError, and ValueError with a line for each of the first mistakes.
    """
    stamps = tuple(_stamp(file.path) for file in section.labels)
    return _read_labels(section.folder, section.labels, strict and section.folds is None, strict, stamps)


@lru_cache(maxsize=2)  # Each split and the charset ask for the same labels.
def _read_labels(
    root: Path, files: Sequence[LabelFile], need_split: bool, need_crops: bool, stamps: tuple[object, ...]
) -> tuple[Label, ...]:
    """Reads the files; `stamps` only tell the cache whether they have changed."""
    labels: dict[str, Label] = {}  # by path
    mistakes: list[str] = []
    for file in files:
        for where, row in _rows(file, mistakes):
            label = _label(where, row, file.split)
            wrong = [*_mistakes(label, row, need_split), *_crop_mistakes(root, label, need_crops)]
            twin = labels.setdefault(label.path, label)
            if twin is not label:
                wrong.append(
                    f"`path` must be given once, but {label.path!r} is in {twin.where} too; keep one of the two"
                )
            mistakes += [f"{where}: {mistake}" for mistake in wrong]
    raise_mistakes(root, mistakes)
    return tuple(labels.values())


def _rows(file: LabelFile, mistakes: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields FILE:LINE and the fields of each line; lines that have none are added to `mistakes`."""
    text = read_utf8(file.path)
    rows = _csv_rows(file, text, mistakes) if file.is_csv else _tab_rows(file, text, mistakes)
    before, empty = len(mistakes), True
    for line, row in rows:
        empty = False
        yield f"{file.path}:{line}", row
    if empty and len(mistakes) == before:
        mistakes.append(f"{file.path}: must hold the label of a crop, but holds none; export the labels again")


def _csv_rows(file: LabelFile, text: str, mistakes: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line and the fields of each row of a table, by the names in its header."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1  # A quoted field may span several lines; here the row begins.
        try:
            fields = next(reader, None)
        except csv.Error as error:
            mistakes.append(f"{file.path}:{line}: must be a row of CSV, but {error}; close or double its quotes")
            continue
        if fields is None:
            return
        if not any(fields):
            continue
        if header is None:
            header = [name.strip().lower() for name in fields]
            missing = [name for name in ("path", "text") if header.count(name) != 1]
            if missing:
                mistakes.append(
                    f"{file.path}:{line}: must be a header with the columns path,text,split (and group or page), "
                    f"{' and '.join(missing)} once, but got {text.splitlines()[0][:80]!r}; write it as the first line"
                )
                return
        elif len(fields) != len(header):
            wanted = f"must have {len(header)} fields as the header has"
            hint = "quote a text that holds a comma" if len(fields) > len(header) else "add what is missing"
            mistakes.append(f"{file.path}:{line}: {wanted}, but got {len(fields)}; {hint}")
        else:
            # A file with confidences is what `tune predict` wrote, and somebody corrected.
            yield line, dict(zip(header, map(written, fields) if "confidence" in header else fields, strict=True))


def _tab_rows(file: LabelFile, text: str, mistakes: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line, the path and the text of each line that has one tab."""
    for line, content in enumerate(text.split("\n"), start=1):
        fields = content.removesuffix("\r").split("\t")
        if fields == [""]:
            continue
        if len(fields) != 2:
            got = f"{len(fields) - 1} tabs in {content[:80]!r}"
            mistakes.append(f"{file.path}:{line}: must be a path, one tab and a text, but got {got}")
        elif fields[0].startswith(('["', "['")):
            mistakes.append(
                f"{file.path}:{line}: must begin with the path of one crop, but got the list {fields[0][:80]!r}; "
                "give each crop a line of its own"
            )
        else:
            yield line, {"path": fields[0], "text": fields[1]}


def _label(where: str, row: dict[str, str], split: Split | None) -> Label:
    """Builds the label of a row, mistakes and all."""
    given = row.get("split", "").strip()
    return Label(
        path=posixpath.normpath(row["path"]) if row["path"] else "",
        text=normalise(row["text"]),
        split=split or next((name for name in SPLITS if name == given), None),
        group=row.get("group", "").strip() or row.get("page", "").strip() or None,
        where=where,
    )


def _mistakes(label: Label, row: dict[str, str], need_split: bool) -> Iterator[str]:
    """Yields what is wrong with the split or the text of a label."""
    given = row.get("split", "").strip()
    if label.split is None and given:
        yield f"`split` must be train, val or test, but got {given!r}"
    elif label.split is None and need_split:
        yield "`split` must be train, val or test, but is missing; add it, or deal the crops with data.folds"
    if not label.text.strip():
        yield f"`text` must not be empty, but got {label.text!r}; type what the crop says, or remove the line"
    control = next((c for c in label.text if unicodedata.category(c) == "Cc"), None)
    if control is not None:
        yield f"`text` must be one line of text, but holds {name_character(control)}; remove it"


def _crop_mistakes(root: Path, label: Label, need_crops: bool) -> Iterator[str]:
    """Yields what is wrong with the path of a label."""
    path = label.path
    if not path or any(unicodedata.category(c) == "Cc" for c in path):
        yield f"`path` must be the path of a crop, but got {path!r}"
    elif posixpath.isabs(path) or _DRIVE.match(path) or path == ".." or path.startswith("../"):
        yield f"`path` must lie in {root}, but got {path!r}; give it from there"
    elif need_crops and not os.path.isfile(f"{root}/{path}"):
        hint = "write / in place of \\" if "\\" in path else "correct the path, or remove the line"
        yield f"`path` must be a file in {root}, but {path!r} is not there; {hint}"


def _stamp(file: Path) -> tuple[int, int, int]:
    """Returns what changes when the file does, so that labels are read anew only then."""
    found = file.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
