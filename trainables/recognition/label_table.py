"""Reads the rows of a file of labels, labels.csv or one of PaddleOCR's, and says which lines are none.

No torch here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from trainables.data.conventions import meant_columns
from trainables.data.invisible import strip
from trainables.data.spreadsheet import written
from trainables.data.text_file import read_utf8
from trainables.recognition.data_section import LabelFile

Mistakes = list[tuple[str, str]]  # where, and what is wrong


def read_rows(file: LabelFile, mistakes: Mistakes) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields FILE:LINE and the fields of each line, as they are written; lines that have none go to `mistakes`.

    Raises OSError, and ValueError for a file that is not UTF-8.
    """
    text = read_utf8(file.path)
    rows = _csv_rows(file, text, mistakes) if file.is_csv else _tab_rows(file, text, mistakes)
    before, empty = len(mistakes), True
    for line, row in rows:
        empty = False
        yield f"{file.path}:{line}", row
    if empty and len(mistakes) == before:
        mistakes.append((str(file.path), "must hold the label of a crop, but holds none; export the labels again"))


def _csv_rows(file: LabelFile, text: str, mistakes: Mistakes) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line and the fields of each row of a table, by the names in its header."""
    # A quote counts after a blank as well in a file that has such: programs quote a text that begins with a quote, so
    # somebody typed both. In any other file a blank may be the first character of the name of a crop.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=', "' in text)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1  # A quoted field may span several lines; here the row begins.
        try:
            fields = next(reader, None)
        except csv.Error as error:
            mistakes.append((f"{file.path}:{line}", f"must be a row of CSV, but {error}; close or double its quotes"))
            continue
        if fields is None:
            return
        if not any(fields):
            continue
        if header is None:
            header = [strip(name).lower() for name in fields]
            if mistake := _header_mistake(header, text.splitlines()[0]):
                mistakes.append((f"{file.path}:{line}", mistake))
                return
        elif len(fields) != len(header):
            wanted = f"must have {len(header)} fields as the header has"
            hint = "quote a text that holds a comma" if len(fields) > len(header) else "add what is missing"
            mistakes.append((f"{file.path}:{line}", f"{wanted}, but got {len(fields)}; {hint}"))
        else:
            # A file with confidences is what `tune predict` wrote, and somebody corrected.
            yield line, dict(zip(header, map(written, fields) if "confidence" in header else fields, strict=True))


def _header_mistake(header: list[str], line: str) -> str | None:
    """Returns what is wrong with the header of a table; None where it names a path and a text."""
    missing = [name for name in ("path", "text") if header.count(name) != 1]
    if not missing:
        return None
    separator = next((f"`{c}`" if c != "\t" else "tabs" for c in ";\t|" if len(header) == 1 and c in line), None)
    if separator is not None:
        advice = f"its fields are separated by {separator}: save it with commas"
    else:
        advice = meant_columns(header, missing) or "write it as the first line"
    return (
        f"must be a header with the columns path,text,split (and group or page), {' and '.join(missing)} once, "
        f"but got {line[:80]!r}; {advice}"
    )


def _tab_rows(file: LabelFile, text: str, mistakes: Mistakes) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line, the path and the text of each line that has one tab."""
    for line, content in enumerate(text.split("\n"), start=1):
        fields = content.removesuffix("\r").split("\t")
        if fields == [""]:
            continue
        mistake = None
        if len(fields) != 2:
            mistake = f"must be a path, one tab and a text, but got {len(fields) - 1} tabs in {content[:80]!r}"
        elif fields[0].startswith(('["', "['")):
            mistake = (
                f"must begin with the path of one crop, but got the list {fields[0][:80]!r}; "
                "give each crop a line of its own"
            )
        elif fields[1].startswith('[{"'):
            mistake = (
                "must hold the text of one crop, but holds PaddleOCR's labels of a whole page; "
                "cut the page into crops (PPOCRLabel: export recognition results)"
            )
        if mistake is None:
            yield line, {"path": fields[0], "text": fields[1]}
        else:
            mistakes.append((f"{file.path}:{line}", mistake))
