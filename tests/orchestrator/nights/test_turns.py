"""Whose turn it is, and for how long."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.nights.turns import FAIR, SHORTEST, Over, Turn, Wait, Waiting, levelled, next_turn

HOUR = 3600.0


def test_the_first_turns_of_a_night_are_as_long_as_the_shares_say():
    queue = [Waiting("a", 2), Waiting("b", 1), Waiting("c", 1)]
    assert next_turn(queue, 0, 8 * HOUR) == Turn("a", 4 * HOUR)
    queue[0] = Waiting("a", 2, turns=1, behind=2 * HOUR)
    assert next_turn(queue, 4 * HOUR, 8 * HOUR) == Turn("b", 6 * HOUR)
    queue[1] = Waiting("b", 1, turns=1, behind=2 * HOUR)
    assert next_turn(queue, 6 * HOUR, 8 * HOUR) == Turn("c", 8 * HOUR)


def test_who_comes_back_early_leaves_the_time_to_the_others():
    queue = [Waiting("a", 2, open=False, turns=1), Waiting("b", 3), Waiting("c", 1)]
    assert next_turn(queue, 1 * HOUR, 9 * HOUR) == Turn("b", 7 * HOUR)
    alone = [Waiting("a", 2, open=False, turns=1), Waiting("b", 3, open=False, turns=1), Waiting("c", 1)]
    assert next_turn(alone, 1 * HOUR, 9 * HOUR) == Turn("c", 9 * HOUR)


def test_what_is_left_after_all_had_their_turns_goes_whole_to_the_one_that_is_owed_most():
    queue = [Waiting("a", 1, turns=1, behind=300), Waiting("b", 1, turns=1, behind=100), Waiting("c", 1, open=False)]
    assert next_turn(queue, 5 * HOUR, 8 * HOUR) == Turn("b", 8 * HOUR)


def test_a_short_night_has_few_turns_and_the_next_one_begins_with_the_others():
    queue = [Waiting(key, 1) for key in "abcdefgh"]
    assert next_turn(queue, 0, 2000) == Turn("a", FAIR)
    assert next_turn(queue, 0, FAIR + SHORTEST - 1) == Turn("a", FAIR + SHORTEST - 1)  # nothing worth a start is left
    later = [Waiting("a", 1, behind=FAIR), *queue[1:]]
    assert next_turn(later, 0, 2000) == Turn("b", FAIR)


def test_a_study_that_another_process_runs_is_passed_over_and_waited_for():
    queue = [Waiting("a", 1, busy=True), Waiting("b", 1)]
    assert next_turn(queue, 0, 8 * HOUR) == Turn("b", 4 * HOUR)
    assert next_turn([queue[0], Waiting("b", 1, open=False)], 0, 8 * HOUR) == Wait()
    assert next_turn([queue[0], Waiting("b", 1, turns=1)], 0, 8 * HOUR) == Turn("b", 4 * HOUR)
    assert next_turn([queue[0], Waiting("b", 1, turns=1, early=True)], 0, 8 * HOUR) == Wait()


def test_a_night_is_over_with_its_window_or_when_nothing_is_left_to_do():
    assert next_turn([Waiting("a", 1)], 100, 100 + SHORTEST - 1) == Over("the window ended")
    assert isinstance(next_turn([Waiting("a", 1)], 100, 50), Over)
    assert next_turn([Waiting("a", 1, open=False)], 0, HOUR) != Over("the window ended")


@settings(max_examples=30)
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=6), st.floats(120, 600))
def test_over_many_nights_each_study_has_the_time_of_its_share_however_short_they_are(shares, length):
    keys = [str(number) for number in range(len(shares))]
    behind, had = dict.fromkeys(keys, 0.0), Counter[str]()
    for _ in range(400):
        now, turns = 0.0, Counter[str]()
        while True:
            queue = [Waiting(k, s, turns=turns[k], behind=behind[k]) for k, s in zip(keys, shares, strict=True)]
            move = next_turn(queue, now, length)
            if not isinstance(move, Turn):
                break
            seconds = move.until - now
            now, turns[move.key] = move.until, turns[move.key] + 1
            had[move.key] += seconds
            behind[move.key] += seconds / shares[int(move.key)]
        behind = levelled(behind.items())
    whole = sum(had.values())
    for key, share in zip(keys, shares, strict=True):
        assert had[key] / whole == pytest.approx(share / sum(shares), abs=0.04)


def test_only_differences_are_carried_to_the_next_night():
    assert levelled([("a", 500.0), ("b", 300.0)]) == {"a": 200.0, "b": 0.0}
    assert levelled([]) == {}
