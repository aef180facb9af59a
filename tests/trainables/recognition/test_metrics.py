"""Checks metrics.py against the textbook's edit distance, rapidfuzz, and cases counted by hand."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from trainables.recognition.metrics import Confusion, Score, confusions, score_reading, score_readings

TEXTS = st.text("가나ab1", max_size=6)


def distance(a: str, b: str) -> int:
    """Computes the edit distance by its definition (Wagner & Fischer 1974)."""

    @cache
    def to(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(to(i - 1, j) + 1, to(i, j - 1) + 1, to(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return to(len(a), len(b))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5))
def test_a_split_is_scored_as_its_definitions_say(pairs: list[tuple[str, str]]) -> None:
    texts, readings = zip(*pairs, strict=True)
    score = score_readings(texts, readings)
    assert score.acc == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    assert score.ned == pytest.approx(sum(1 - distance(a, b) / max(len(a), len(b), 1) for a, b in pairs) / len(pairs))
    assert score.ned == pytest.approx(sum(Levenshtein.normalized_similarity(a, b) for a, b in pairs) / len(pairs))
    assert score.edits == sum(distance(a, b) for a, b in pairs)
    assert score.characters == sum(map(len, texts))


def test_a_case_counted_by_hand() -> None:
    score = score_readings(["12가3456", "ab", "서울"], ["12가3456", "b", "서울1로"])
    assert score.metrics("val") == pytest.approx(
        {"val/acc": 1 / 3, "val/ned": (1 + 0.5 + 0.5) / 3, "val/cer": 3 / (7 + 2 + 2)}
    )


def test_of_nothing_the_score_is_nothing() -> None:
    assert score_readings([], []) == Score()
    assert Score().metrics("test") == {"test/acc": 0.0, "test/ned": 0.0, "test/cer": 0.0}


def test_reading_nothing_where_there_is_nothing_is_right() -> None:
    assert score_reading("", "") == Score(1, 1, 1.0, 0, 0)


def test_the_error_rate_exceeds_one_where_far_too_much_is_read() -> None:
    assert score_reading("a", "bcde").cer == 4.0


def test_confusions_are_the_edits_that_recur() -> None:
    texts = ["B8B", "8BO", "O1", "7", "5"]
    readings = ["88B", "88O", "01", "", "55"]
    assert confusions(texts, readings) == [
        Confusion("B", "8", 2),
        Confusion("", "5", 1),
        Confusion("7", "", 1),
        Confusion("O", "0", 1),
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_there_are_as_many_confusions_as_edits(pairs: list[tuple[str, str]]) -> None:
    found = confusions([a for a, _ in pairs], [b for _, b in pairs])
    assert sum(c.count for c in found) == sum(distance(a, b) for a, b in pairs)
    assert all(c.given != c.read for c in found)
    assert [c.count for c in found] == sorted((c.count for c in found), reverse=True)
