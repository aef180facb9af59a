"""Fits a table into the width that there is: what must be read stays whole, the rest gives way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

GAP = 1  # a blank between two columns
LEAST = 6  # A column that shrinks further says nothing, and is left out.


@dataclass(frozen=True)
class Column:
    """Holds one column of a table. yields: it may become narrower, and at last be left out."""

    heading: str
    cells: Sequence[str]
    yields: bool = False

    @property
    def width(self) -> int:
        """Returns the cells of a terminal that the whole column takes."""
        return max(map(cell_len, [self.heading, *self.cells]))


def widths(columns: Sequence[Column], room: int) -> list[int]:
    """Returns the width that each column gets in a table of `room` cells; 0 for one that is left out.

    Columns that yield do so from the right. If that is not enough, headings become as short as what stands below them,
    and at last columns that yield are left out.
    """
    found = [column.width for column in columns]

    def excess() -> int:
        shown = [width for width in found if width]
        return sum(shown) + GAP * (len(shown) - 1) - room

    yielding = [index for index, column in reversed(list(enumerate(columns))) if column.yields]
    for index in yielding:
        found[index] = max(min(found[index], LEAST), found[index] - max(0, excess()))
    for index, column in enumerate(columns):
        if found[index] and not column.yields:
            below = max(map(cell_len, column.cells), default=1) or 1
            found[index] = max(below, found[index] - max(0, excess()))
    for index in yielding:
        if excess() > 0:
            found[index] = 0
    return found


def fitted(columns: Sequence[Column], room: int) -> Table:
    """Makes a table without lines that takes at most `room` cells, as long as what must be read allows that."""
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    shown = [(column, width) for column, width in zip(columns, widths(columns, room), strict=True) if width]
    for column, width in shown:
        heading = Text(column.heading, no_wrap=True, overflow="ellipsis")
        table.add_column(heading, no_wrap=True, overflow="ellipsis", width=width)
    for row in zip(*(column.cells for column, _ in shown), strict=True):
        table.add_row(*map(Text, row))
    return table
