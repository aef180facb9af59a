"""When a session must stop."""

from __future__ import annotations

from datetime import datetime

import pytest

from orchestrator.budget import deadline, time_of_day

NOON = datetime(2026, 3, 10, 12, 0).timestamp()


def test_a_time_of_day_still_to_come_is_todays():
    assert datetime.fromtimestamp(time_of_day("13:30", NOON)) == datetime(2026, 3, 10, 13, 30)


def test_a_time_of_day_that_has_passed_is_tomorrows():
    assert datetime.fromtimestamp(time_of_day("07:00", NOON)) == datetime(2026, 3, 11, 7, 0)
    assert datetime.fromtimestamp(time_of_day("12:00", NOON)) == datetime(2026, 3, 11, 12, 0)


@pytest.mark.parametrize("text", ["7", "24:00", "07:60", "seven", "07:00:00", ""])
def test_anything_else_is_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match="such as 07:00"):
        time_of_day(text, NOON)


def test_the_earliest_limit_counts():
    assert deadline(NOON, hours_in_all=10, seconds_used=9.5 * 3600, hours=2, until="13:00") == NOON + 1800
    assert deadline(NOON, hours_in_all=10, seconds_used=0, hours=2, until="13:00") == NOON + 3600
    assert deadline(NOON, hours_in_all=None, seconds_used=0, hours=2, until=None) == NOON + 7200
    assert deadline(NOON, hours_in_all=None, seconds_used=0, hours=None, until=None) is None


def test_a_used_up_budget_ends_at_once():
    assert deadline(NOON, hours_in_all=1, seconds_used=7200, hours=None, until=None) == NOON
