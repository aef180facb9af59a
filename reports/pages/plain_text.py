"""Writes Markdown that reads well as it is: aligned tables, paragraphs of a terminal's width, names that stay names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from reports.pages.tables import Cell, Table
from reports.words import one_line

WIDTH = 100  # columns of a paragraph
CELL = 60  # characters of a cell at most
_SPECIAL = re.compile(r"[\\`*\[\]|]|(?<!\w)[_#]|[_#](?!\w)|<(?=[A-Za-z/!?])|^[>+-]")


def escape(text: object) -> str:
    """Returns text in which Markdown sees no markup. What stands within a word, or alone, needs no escape."""
    return _SPECIAL.sub(lambda match: "&lt;" if match[0] == "<" else f"\\{match[0]}", one_line(text))


def columns(text: str) -> int:
    """Returns the columns that a terminal takes for the text: two for a wide character, none for a combining one."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def paragraph(text: str, indent: str = "") -> str:
    """Breaks the words into lines of at most WIDTH columns; every line after the first begins with `indent`."""
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and columns(longer) > WIDTH:
            lines.append(line)
            longer = indent + word
        line = longer
    return "\n".join([*lines, line])


def text_table(table: Table) -> str:
    """Writes a table with aligned columns. Columns without text are left out; "" without a row."""
    if not table.rows:
        return ""
    kept = [i for i in range(len(table.columns)) if any(row[i].text for row in table.rows)]
    shown = [[escape(table.columns[i].label) for i in kept]] + [[_text(row[i]) for i in kept] for row in table.rows]
    widths = [max(3, *(columns(line[i]) for line in shown)) for i in range(len(kept))]
    right = [table.columns[i].numeric for i in kept]
    lines = [_line(shown[0], widths, right)]
    lines.append("|" + "|".join(_rule(width, r) for width, r in zip(widths, right, strict=True)) + "|")
    return "\n".join([*lines, *(_line(line, widths, right) for line in shown[1:])])


def _text(cell: Cell) -> str:
    """Returns the cell's text, escaped and at most CELL characters long."""
    return escape(cell.text if len(cell.text) <= CELL else cell.text[: CELL - 1] + "…")


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    """Aligns the cells of a row."""
    padded = []
    for cell, width, to_right in zip(cells, widths, right, strict=True):
        space = " " * (width - columns(cell))
        padded.append(space + cell if to_right else cell + space)
    return "| " + " | ".join(padded) + " |"


def _rule(width: int, right: bool) -> str:
    """Returns what stands under a heading; a colon aligns the column to the right."""
    return "-" * (width + 1) + ":" if right else "-" * (width + 2)
