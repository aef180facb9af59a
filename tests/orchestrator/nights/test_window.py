"""When it is night, held against every minute of some days."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import accumulate
from zoneinfo import ZoneInfo

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from orchestrator.nights.window import Night, Window

BERLIN = ZoneInfo("Europe/Berlin")
CHANGES = [
    (date(2026, 3, 29), BERLIN),
    (date(2026, 10, 25), BERLIN),
    (date(2026, 3, 10), ZoneInfo("Asia/Seoul")),
    (date(2026, 11, 1), ZoneInfo("America/New_York")),
    (date(2026, 4, 5), ZoneInfo("Australia/Lord_Howe")),
]
EVERY_DAY = frozenset(range(7))

clocks = st.times().map(lambda at: at.replace(second=0, microsecond=0))
some_days = st.frozensets(st.integers(0, 6), min_size=1)


def utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


@cache
def clock_by_minute(first: date, days: int, zone: ZoneInfo) -> list[tuple[float, datetime]]:
    """Returns (unix time, what the clock shows) for each minute of UTC, from the day before `first`."""
    begin = datetime.combine(first - timedelta(days=1), time(), UTC)
    minutes = (begin + timedelta(minutes=number) for number in range(days * 24 * 60))
    return [(m.timestamp(), m.astimezone(zone).replace(tzinfo=None, fold=0)) for m in minutes]


def nights_by_minute(window: Window, first: date, count: int) -> list[tuple[float, float]]:
    """Returns start and end of each night of the days, by looking at the zone's clock once a minute."""
    shown = clock_by_minute(first, count + 4, window.zone)
    clocks_shown = [clock for _, clock in shown]
    rising = list(accumulate(clocks_shown, max))  # The first minute of `wanted` or more is the first of those, too.
    found = []
    for number in range(count):
        day = first + timedelta(days=number)
        morning = day + timedelta(days=window.end < window.start)
        start = shown[bisect_left(rising, datetime.combine(day, window.start))][0]
        end = shown[bisect_left(rising, datetime.combine(morning, window.end))][0]
        if day.weekday() in window.days and start < end:
            found.append((start, end))
    return found


@settings(max_examples=60)
@given(st.sampled_from(CHANGES), clocks, clocks, some_days, st.integers(0, 86399))
@example(CHANGES[0], time(22), time(2, 30), EVERY_DAY, 0)
@example(CHANGES[0], time(2, 10), time(2, 40), EVERY_DAY, 0)
@example(CHANGES[1], time(2, 40), time(2, 10), EVERY_DAY, 0)
def test_it_is_night_in_the_minutes_of_a_window_and_in_no_others(change, start, end, days, second):
    assume(start != end)
    day, zone = change
    window = Window(start, end, zone, days)
    nights = nights_by_minute(window, day - timedelta(days=2), 10)
    now = datetime.combine(day, time(), UTC).timestamp() + second
    present, upcoming = window.present(now), window.upcoming(now)
    expected = [night for night in nights if night[0] <= now < night[1]]
    assert ([] if present is None else [(present.start, present.end)]) == expected
    assert (upcoming.start, upcoming.end) == next(night for night in nights if night[0] > now)


def test_a_night_across_midnight_has_the_evenings_date_and_as_many_hours_as_pass():
    window = Window(time(22), time(7), BERLIN, frozenset({4, 5}))  # Friday and Saturday
    assert window.present(utc(2026, 3, 28, 3)) == Night(date(2026, 3, 27), utc(2026, 3, 27, 21), utc(2026, 3, 28, 6))
    short, long = window.of(date(2026, 3, 28)), window.of(date(2026, 10, 24))
    assert short is not None and short.end - short.start == 8 * 3600
    assert long is not None and long.end - long.start == 10 * 3600
    assert window.present(utc(2026, 3, 29, 21)) is None  # Sunday evening
    assert window.upcoming(utc(2026, 3, 29, 21)).day == date(2026, 4, 3)


def test_a_night_that_begins_late_ends_when_it_would_have():
    window = Window(time(22), time(7), BERLIN)
    late = window.present(utc(2026, 1, 10, 5, 59))
    assert late is not None and late.end == utc(2026, 1, 10, 6) and late.day == date(2026, 1, 9)
    assert window.present(utc(2026, 1, 10, 6)) is None
