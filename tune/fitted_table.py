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
    """Holds one column of a table. yields: it may become narrower, and at last be left out.

    whole: it is left out where it does not fit, because a part of it says nothing.
    """

    heading: str
    cells: Sequence[str]
    yields: bool = False
    whole: bool = False

    @property
    def width(self) -> int:
        """Returns the cells of a terminal that the whole column takes."""
        return max(map(cell_len, [self.heading, *self.cells]))

    @property
    def least(self) -> int:
        """Returns the cells below which the column is left out, if it yields."""
        return self.width if self.whole else min(self.width, LEAST)


def widths(columns: Sequence[Column], room: int) -> list[int]:
    """Returns the width that each column gets in a table of `room` cells; 0 for one that is left out.

    Columns that yield do so from the right. If that is not enough, those that say nothing in part are left out, then
    headings become as short as what stands below them, and at last every column that yields is left out, from the
    right; what that frees goes to those that stay.
    """
    found = [column.width for column in columns]

    def excess() -> int:
        shown = [width for width in found if width]
        return sum(shown) + GAP * (len(shown) - 1) - room

    yielding = [index for index, column in reversed(list(enumerate(columns))) if column.yields]
    for index in yielding:
        found[index] = max(columns[index].least, found[index] - max(0, excess()))
    for index in yielding:
        if columns[index].whole and excess() > 0:
            found[index] = 0
    for index, column in enumerate(columns):
        if found[index] and not column.yields:
            below = max(map(cell_len, column.cells), default=1) or 1
            found[index] = max(below, found[index] - max(0, excess()))
    for index in yielding:
        if excess() > 0:
            found[index] = 0
    for index in reversed(yielding):
        if found[index]:
            found[index] = min(columns[index].width, found[index] + max(0, -excess()))
    return found


def blocks(columns: Sequence[Column], room: int) -> list[list[Column]]:
    """Shares columns out to tables that stand below one another, each at most `room` cells wide; all cells stay whole.

    The first column begins each of them, so that every row says what it is about.
    """
    first, *others = columns
    found: list[list[Column]] = [[first]]
    for column in others:
        taken = sum(each.width + GAP for each in found[-1])
        if len(found[-1]) > 1 and taken + column.width > room:
            found.append([first])
        found[-1].append(column)
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
