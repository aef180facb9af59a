"""Checks which characters count as invisible, against what Unicode says of them."""

from __future__ import annotations

import pytest

from trainables.data.invisible import describe, hidden, strip

INVISIBLE = (
    "\u00a0\u00ad\u034f\u061c\u115f\u1160\u180e\u2000\u200a\u200b\u200e\u2028\u2029\u202e\u202f"
    "\u2060\u2800\u3000\u3164\ufe0f\ufeff\uffa0"
)


@pytest.mark.parametrize("character", INVISIBLE)
def test_an_invisible_character_is_cut_at_the_ends_and_named_inside(character: str) -> None:
    assert strip(f"{character} 가{character}나 {character}") == f"가{character}나"
    assert hidden(f"가{character}나") == [1]


@pytest.mark.parametrize(
    "text", ["가 나", "é", "e\u0301", "क\u094d\u200dष", "می\u200cخواهم", "\u0600١٢", "ㄱ", "·", "🚗"]
)
def test_what_is_seen_or_decides_how_its_neighbours_look_is_not_invisible(text: str) -> None:
    assert hidden(text) == [] and strip(f" {text}\t") == text


def test_a_joiner_that_joins_nothing_is_invisible() -> None:
    assert hidden("12\u200d34") == [2] == hidden("ab\u200ccd") and strip("می\u200c") == "می"


def test_a_control_character_is_left_for_the_labels_to_refuse() -> None:
    assert strip("1\x00") == "1\x00" and strip("1\n") == "1"


def test_a_character_is_described_by_its_code_point_and_its_name() -> None:
    assert describe("\u200b") == "U+200B ZERO WIDTH SPACE" and describe("\ue000") == "U+E000"
