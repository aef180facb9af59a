"""Says when a timer is to start the nights of a file, and whether a start that came has anything to do."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo

from orchestrator.nights.record import INTERRUPTED_WHY, NightRecord
from orchestrator.nights.window import Window

_AHEAD = 800  # days: every change of a clock is among them twice


def clock_times(window: Window, zone: tzinfo | None, now: float) -> dict[time, set[int]]:
    """Returns the times of day at which nights begin by the clock of a zone, with their weekdays there, 0 for Monday.

    zone: None for this machine's own. There is more than one time where one of the two zones changes its clock and the
    other does not, or where a clock leaps over a start.
    """
    found: dict[time, set[int]] = {}
    today = datetime.fromtimestamp(now, window.zone).date()
    for number in range(_AHEAD):
        night = window.of(today + timedelta(days=number))
        if night is not None:
            begins = datetime.fromtimestamp(night.start, zone)
            found.setdefault(time(begins.hour, begins.minute), set()).add(begins.weekday())
    return dict(sorted(found.items()))


def has_to_begin(record: NightRecord | None, machine_began: float) -> bool:
    """Returns whether a timer's start is to run the present night.

    record: what this night has done so far. machine_began: unix time. A night that somebody stopped stays stopped, and
    one that was stopped because the machine went down goes on.
    """
    if record is None or record.ended is None:
        return True
    return record.why == INTERRUPTED_WHY and record.ended < machine_began
