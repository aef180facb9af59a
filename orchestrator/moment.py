"""Writes moments as people say them, so that nobody takes tomorrow for today."""

from __future__ import annotations

from datetime import datetime, tzinfo

from orchestrator.mistake import duration

_WEEK = 6 * 86400.0  # Beyond this a weekday alone could be two days.


def moment(at: float, now: float, zone: tzinfo | None = None) -> str:
    """Writes an instant by the clock of the zone: `Sat 07:00`, or with its date where that is not within the next days.

    at, now: unix times. zone: None for this machine's own.
    """
    near = abs(at - now) < _WEEK
    return datetime.fromtimestamp(at, zone).strftime("%a %H:%M" if near else "%a %Y-%m-%d %H:%M")


def until(at: float, now: float, zone: tzinfo | None = None) -> str:
    """Writes `until Sat 07:00, in 8 h 52 min`."""
    return f"until {moment(at, now, zone)}, in {duration(max(0.0, at - now))}"
