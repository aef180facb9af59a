"""Tables beside the example pictures, whatever their files hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.pages.example_tables import MOST_ROWS, MOST_TABLES, example_tables


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    (tmp_path / "examples").mkdir()
    return tmp_path / "examples"


def test_columns_of_numbers_are_sorted_as_numbers_and_texts_stay_texts(examples: Path):
    (examples / "confused_pairs.csv").write_text('given,read,count\n바,버,12\n0,"O,",9\n', encoding="utf-8")
    [found] = example_tables(examples.parent)
    assert found.caption == "confused pairs"
    assert [(column.label, column.numeric) for column in found.table.columns] == [
        ("given", False),
        ("read", False),
        ("count", True),
    ]
    assert [[cell.text for cell in row] for row in found.table.rows] == [["바", "버", "12"], ["0", "O,", "9"]]
    assert [row[2].sort for row in found.table.rows] == [12.0, 9.0]


def test_a_long_table_and_a_long_list_of_tables_are_cut(examples: Path):
    for number in range(MOST_TABLES + 2):
        lines = "\n".join(f"{n},{n}" for n in range(MOST_ROWS + 5))
        (examples / f"{number}.csv").write_text(f"a,b\n{lines}\n")
    found = example_tables(examples.parent)
    assert len(found) == MOST_TABLES
    assert {len(each.table.rows) for each in found} == {MOST_ROWS}


@pytest.mark.parametrize("content", [b"", b"only,a,heading\n", b"\xff\xfe\x00a\n\xff", b"a,b\n" + b"x" * 2_000_000])
def test_what_is_no_table_is_left_out(examples: Path, content: bytes):
    (examples / "odd.csv").write_bytes(content)
    assert example_tables(examples.parent) == ()


def test_rows_of_another_length_are_filled_or_cut(examples: Path):
    (examples / "ragged.csv").write_text("a,b\n1\n2,3,4\n")
    [found] = example_tables(examples.parent)
    assert [[cell.text for cell in row] for row in found.table.rows] == [["1", ""], ["2", "3"]]


def test_no_folder_no_tables(tmp_path: Path):
    assert example_tables(tmp_path) == ()
