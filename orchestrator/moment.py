"""Writes moments as people say them, so that nobody takes tomorrow for today."""

from __future__ import annotations

import time

from orchestrator.mistake import duration

_WEEK = 6 * 86400.0  # Beyond this a weekday alone could be two days.


def moment(at: float, now: float) -> str:
    """Writes an instant by the local clock: `Sat 07:00`, or with its date where that is not within the next days.

    at, now: unix times.
    """
    near = abs(at - now) < _WEEK
    return time.strftime("%a %H:%M" if near else "%a %Y-%m-%d %H:%M", time.localtime(at))


def until(at: float, now: float) -> str:
    """Writes `until Sat 07:00, in 8 h 52 min`."""
    return f"until {moment(at, now)}, in {duration(max(0.0, at - now))}"
