"""Says when a night is: a start and an end by the clock of a time zone, on some days of the week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Literal, get_args

from orchestrator.time_of_day import first_instant

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
_AHEAD = 15  # days to look for the next night: one of two weeks can lack one, where clocks are changed


@dataclass(frozen=True)
class Night:
    """Holds one night. day: of its evening, by the window's zone. start, end: unix times, start < end."""

    day: date
    start: float
    end: float


@dataclass(frozen=True)
class Window:
    """Holds the times of day between which studies may run. An end that is not after the start is the next morning's.

    zone: None for this machine's own. days: of the evenings on which a night begins, 0 for Monday.
    """

    start: time
    end: time
    zone: tzinfo | None = None
    days: frozenset[int] = frozenset(range(7))

    def __post_init__(self) -> None:
        assert self.start != self.end and self.days

    def of(self, day: date) -> Night | None:
        """Returns the night that begins on that day; None without one, also where the clock leaps over all of it."""
        if day.weekday() not in self.days:
            return None
        morning = day if self.end > self.start else day + timedelta(days=1)
        start, end = first_instant(day, self.start, self.zone), first_instant(morning, self.end, self.zone)
        return Night(day, start, end) if start < end else None

    def present(self, now: float) -> Night | None:
        """Returns the night that it is, however late; None by day."""
        return next((night for night in self._nights(now, -2, 1) if night.start <= now < night.end), None)

    def upcoming(self, now: float) -> Night:
        """Returns the next night that begins."""
        return next(night for night in self._nights(now, -1, _AHEAD) if night.start > now)

    def _nights(self, now: float, first: int, last: int) -> list[Night]:
        """Returns the nights of the days from `first` to `last`, counted from today, in their order."""
        today = datetime.fromtimestamp(now, self.zone).date()
        nights = (self.of(today + timedelta(days=number)) for number in range(first, last + 1))
        return [night for night in nights if night is not None]
