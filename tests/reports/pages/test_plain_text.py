"""Markdown for a terminal: aligned also with wide characters, and names stay names."""

from __future__ import annotations

import pytest

from reports.pages.plain_text import columns, escape, paragraph, text_table
from reports.pages.tables import Cell, Column, Table, sparkline


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("weight_decay", "weight_decay"),
        ("_private_", r"\_private\_"),
        ("a|b", r"a\|b"),
        ("<script>", "&lt;script>"),
        ("</b>", "&lt;/b>"),
        ("< 0.1 GPU-hours", "< 0.1 GPU-hours"),
        ("`x` *y* [z](u)", r"\`x\` \*y\* \[z\](u)"),
        ("# title", r"\# title"),
        ("> quote", r"\> quote"),
        ("C:\\data", r"C:\\data"),
        ("val/hmean 96.18 %", "val/hmean 96.18 %"),
        ("two\nlines", "two lines"),
    ],
)
def test_markdown_sees_no_markup_in_a_name(text, escaped):
    assert escape(text) == escaped


def test_korean_takes_two_columns_and_accents_none():
    assert columns("시도 7") == 6
    assert columns("e\u0301") == 1


def test_paragraphs_are_as_wide_as_a_terminal():
    lines = paragraph("word " * 60, "  ").splitlines()
    assert max(map(columns, lines)) <= 100 and all(line.startswith("  ") for line in lines[1:])
    assert max(map(columns, paragraph("아주 긴 한국어 문장입니다. " * 20).splitlines())) <= 100


def test_tables_are_aligned_and_lose_their_empty_columns():
    table = Table(
        (Column("시도", True), Column("note"), Column("empty")),
        ((Cell("7"), Cell("a|b"), Cell("")), (Cell("12"), Cell("x" * 80), Cell(""))),
    )
    lines = text_table(table).splitlines()
    assert len({columns(line) for line in lines}) == 1
    assert lines[1].startswith("|-----:|---")
    assert "empty" not in lines[0] and lines[3].rstrip(" |").endswith("…")
    assert text_table(Table((Column("a"),), ())) == ""


def test_a_sparkline_goes_from_the_smallest_to_the_largest():
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert sparkline([1.0, 0.0]) == "█▁"
    assert len(sparkline([float(i) for i in range(100)])) == 12
    assert sparkline([1.0]) == ""
    assert sparkline([2.0, 2.0]) == "▁▁"
