"""Shows the CSV files that a trainable left beside its example pictures."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from reports.pages.example_files import caption_of, example_files
from reports.pages.tables import Cell, Column, Table

MOST_TABLES = 4
MOST_ROWS = 20
LARGEST_BYTES = 1_000_000  # A larger file is no table for a page.


@dataclass(frozen=True)
class ExampleTable:
    """Pairs a table with its caption."""

    caption: str
    table: Table


def example_tables(trial_directory: Path) -> tuple[ExampleTable, ...]:
    """Reads the CSV files in `examples/` of a trial's folder, by name; the first line is the heading."""
    tables = ((path, _table(path)) for path in example_files(trial_directory, ".csv")[:MOST_TABLES])
    return tuple(ExampleTable(caption_of(path), table) for path, table in tables if table is not None)


def _table(path: Path) -> Table | None:
    """Reads one file; None for what is no table: a report must not fail for a file that is half written or no text."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return None
        with path.open(encoding="utf-8", newline="") as stream:
            lines = [line for line in csv.reader(stream) if line]
    except (OSError, ValueError, csv.Error):
        return None
    if len(lines) < 2:
        return None
    heading, rows = lines[0], lines[1 : MOST_ROWS + 1]
    numeric = [all(_number(row[i]) is not None for row in rows if i < len(row)) for i in range(len(heading))]
    cells = (tuple(_cell(row[i] if i < len(row) else "") for i in range(len(heading))) for row in rows)
    return Table(tuple(Column(name, number) for name, number in zip(heading, numeric, strict=True)), tuple(cells))


def _cell(text: str) -> Cell:
    number = _number(text)
    return Cell(text, text if number is None else number)


def _number(text: str) -> float | None:
    """Returns the text as a number; None where it is none."""
    try:
        return float(text)
    except ValueError:
        return None
