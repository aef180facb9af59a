"""When a clock shows a time of day, held against every minute of the days around it."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.time_of_day import first_instant, moment_of, next_instant, parse_time

BERLIN = ZoneInfo("Europe/Berlin")
# Days on which clocks were changed, and one on which none was.
CHANGES = [
    (date(2026, 3, 29), BERLIN),
    (date(2026, 10, 25), BERLIN),
    (date(2026, 3, 10), BERLIN),
    (date(2026, 11, 1), ZoneInfo("America/New_York")),
    (date(2018, 11, 4), ZoneInfo("America/Sao_Paulo")),  # Midnight was leapt over.
    (date(2018, 2, 18), ZoneInfo("America/Sao_Paulo")),  # The hour before midnight came twice.
    (date(2010, 11, 7), ZoneInfo("America/St_Johns")),  # at 00:01
    (date(2026, 4, 5), ZoneInfo("Australia/Lord_Howe")),  # by half an hour
    (date(2011, 12, 30), ZoneInfo("Pacific/Apia")),  # There was no such day.
]
changes = st.sampled_from(CHANGES)
clocks = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@cache
def minutes_around(day: date, zone: ZoneInfo) -> list[tuple[float, datetime]]:
    """Returns (unix time, what the clock shows) for each minute of UTC from two days before to three days after."""
    first = datetime.combine(day - timedelta(days=2), clock(), UTC)
    instants = (first + timedelta(minutes=number) for number in range(5 * 24 * 60))
    return [(i.timestamp(), i.astimezone(zone).replace(tzinfo=None, fold=0)) for i in instants]


@settings(max_examples=60)
@given(changes, clocks)
@example(CHANGES[0], clock(2, 30))
@example(CHANGES[1], clock(2, 30))
@example(CHANGES[8], clock(12, 0))
def test_a_date_and_a_time_mean_the_first_minute_at_which_the_clock_shows_that_or_more(change, at):
    day, zone = change
    wanted = datetime.combine(day, at)
    assert first_instant(day, at, zone) == next(i for i, shown in minutes_around(day, zone) if shown >= wanted)


@settings(max_examples=60)
@given(changes, clocks, clocks, st.integers(0, 1))
@example(CHANGES[1], clock(2, 10), clock(2, 30), 1)
@example(CHANGES[0], clock(1, 59), clock(2, 30), 0)
def test_the_next_one_is_the_first_minute_that_shows_it_or_comes_after_a_leap_over_it(change, typed, at, fold):
    day, zone = change
    now = datetime.combine(day, typed, zone).replace(fold=fold).timestamp()

    def comes(before: datetime, shown: datetime) -> bool:
        dates = (before.date() + timedelta(days=number) for number in range(3))
        return shown.time() == at or any(before < datetime.combine(date, at) < shown for date in dates)

    minutes = minutes_around(day, zone)
    pairs = pairwise(minutes)
    assert next_instant(at, now, zone) == next(i for (_, b), (i, s) in pairs if i > now and comes(b, s))


def test_a_time_of_day_still_to_come_is_todays_and_one_that_has_passed_tomorrows():
    noon = datetime(2026, 3, 10, 12, 0).timestamp()
    assert datetime.fromtimestamp(moment_of("13:30", noon)) == datetime(2026, 3, 10, 13, 30)
    assert datetime.fromtimestamp(moment_of("07:00", noon)) == datetime(2026, 3, 11, 7, 0)
    assert datetime.fromtimestamp(moment_of("12:00", noon)) == datetime(2026, 3, 11, 12, 0)


def test_the_clock_of_this_machine_may_change_with_the_seasons_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        before = datetime(2026, 3, 28, 22, 0, tzinfo=UTC).timestamp()  # 23:00 by that clock
        assert moment_of("02:30", before) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC).timestamp()
        assert moment_of("07:00", before) - before == 7 * 3600  # and not the eight that the clock shows
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_moment_with_a_date_is_that_one_whether_it_has_passed_or_not():
    seven = datetime(2026, 3, 10, 7, 0).timestamp()
    assert moment_of("2026-03-10 07:00", seven + 5) == moment_of("2026-03-10T07:00", 0) == seven
    assert moment_of("2026-03-10T07:00:30+09:00", 0) == datetime(2026, 3, 9, 22, 0, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("text", ["7", "24:00", "07:60", "seven", "07:00:00", "", "2026-02-30 07:00", "2026-03-10"])
def test_anything_else_is_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match="07:00"):
        moment_of(text, 0.0)
    with pytest.raises(ValueError, match="such as 07:00"):
        parse_time(text)
