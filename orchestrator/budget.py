"""When a session must stop: hours, a time of day, in seconds since 1970."""

from __future__ import annotations

import re
from datetime import datetime, timedelta


def time_of_day(text: str, now: float) -> float:
    """The next instant at which a local clock shows `text` ("07:00"), as unix time; tomorrow's if it has passed.

    Raises ValueError for anything but HH:MM.
    """
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
    if match is None:
        raise ValueError(f"must be a time of day such as 07:00, but got {text!r}")
    today = datetime.fromtimestamp(now)
    then = today.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
    return (then if then > today else then + timedelta(days=1)).timestamp()


def deadline(
    now: float, *, hours_in_all: float | None, seconds_used: float, hours: float | None, until: str | None
) -> float | None:
    """The earliest of the limits, as unix time; None without any.

    hours_in_all: the file's budget, over all sessions, of which seconds_used are gone. hours, until: this session's.
    """
    limits = []
    if hours_in_all is not None:
        limits.append(now + max(0.0, hours_in_all * 3600 - seconds_used))
    if hours is not None:
        limits.append(now + hours * 3600)
    if until is not None:
        limits.append(time_of_day(until, now))
    return min(limits, default=None)
