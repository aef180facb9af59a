"""Tables that a trainable left beside its example pictures: CSV files, shown as they are."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from reports.pages.tables import Cell, Column, Table

MOST = 4  # tables in a report
ROWS = 20  # of each
LARGEST = 1_000_000  # bytes: what is larger is no table for a page


@dataclass(frozen=True)
class ExampleTable:
    caption: str
    table: Table


def example_tables(trial_directory: Path) -> tuple[ExampleTable, ...]:
    """The CSV files in `examples/` of a trial's folder, by name; the first line is the heading."""
    folder = trial_directory / "examples"
    files = sorted(path for path in folder.glob("*.csv") if path.is_file()) if folder.is_dir() else []
    tables = ((path, _table(path)) for path in files[:MOST])
    return tuple(ExampleTable(_caption(path), table) for path, table in tables if table is not None)


def _caption(path: Path) -> str:
    return path.stem.replace("_", " ").replace("-", " ")


def _table(path: Path) -> Table | None:
    try:
        if path.stat().st_size > LARGEST:
            return None
        with path.open(encoding="utf-8", newline="") as stream:
            lines = [line for line in csv.reader(stream) if line]
    except (OSError, ValueError, csv.Error):
        return None  # half written, or no text: a report must not fail for it
    if len(lines) < 2:
        return None
    heading, rows = lines[0], lines[1 : ROWS + 1]
    numeric = [all(_number(row[i]) is not None for row in rows if i < len(row)) for i in range(len(heading))]
    cells = (tuple(_cell(row[i] if i < len(row) else "") for i in range(len(heading))) for row in rows)
    return Table(tuple(Column(name, number) for name, number in zip(heading, numeric, strict=True)), tuple(cells))


def _cell(text: str) -> Cell:
    number = _number(text)
    return Cell(text, text if number is None else number)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
