"""Says at which instant a clock shows a time of day, in any time zone and on the days on which clocks are changed.

One rule holds for all days: a date and a time of day mean the first instant at which the zone's clock shows that, or
more. So 02:30 is the end of the gap on a day whose clock goes from 02:00 to 03:00, and the first of the two on a day
that has it twice.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, tzinfo

_DAY = timedelta(days=1)
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?")


def parse_time(text: str) -> time:
    """Reads `07:00`. Raises ValueError for anything but HH:MM."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"must be a time of day such as 07:00, but got {text!r}")
    return time(int(match[1]), int(match[2]))


def first_instant(day: date, at: time, zone: tzinfo | None = None) -> float:
    """Returns the unix time at which the clock of the zone first shows that date and time, or more.

    zone: None for this machine's own.
    """
    wanted = datetime.combine(day, at)
    first = wanted.replace(tzinfo=zone, fold=0).timestamp()
    if _shown(first, zone) == wanted:
        return first
    # The clock leaps over it. The two readings of such a time lie on either side of the leap, less than a day apart.
    before, after = int(wanted.replace(tzinfo=zone, fold=1).timestamp()), int(first)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if _shown(middle, zone) >= wanted else (middle, after)
    return float(after)


def next_instant(at: time, now: float, zone: tzinfo | None = None) -> float:
    """Returns the first unix time after `now` at which the clock of the zone shows the time of day, or leaps over it.

    Between the two 02:30 of one day the next is the second.
    """
    today = _shown(now, zone).date()
    days = [today + number * _DAY for number in (-1, 0, 1, 2)]
    again = (datetime.combine(day, at).replace(tzinfo=zone, fold=1).timestamp() for day in days)
    instants = [*(first_instant(day, at, zone) for day in days), *(i for i in again if _shown(i, zone).time() == at)]
    return min(instant for instant in instants if instant > now)


def moment_of(text: str, now: float) -> float:
    """Returns the unix time that a person means by `07:00`, the next one, or by `2026-03-10 07:00`, with `+09:00` or
    by this machine's clock.

    Raises ValueError for anything else. A moment with a date may have passed.
    """
    if _MOMENT.fullmatch(text) is None:
        try:
            return next_instant(parse_time(text), now)
        except ValueError:
            must = "must be a time of day such as 07:00, or a moment such as '2026-03-10 07:00'"
            raise ValueError(f"{must}, but got {text!r}") from None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"must be a moment that there is, such as '2026-03-10 07:00', but got {text!r}") from error
    return moment.timestamp() if moment.tzinfo is not None else first_instant(moment.date(), moment.time())


def _shown(instant: float, zone: tzinfo | None) -> datetime:
    """Returns what the clock of the zone shows, without the zone."""
    return datetime.fromtimestamp(instant, zone).replace(tzinfo=None, fold=0)
