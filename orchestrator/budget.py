"""How much a session may do: trials, hours, a time of day."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.mistakes import InputMistake


@dataclass(frozen=True)
class Limits:
    """What the command line asks of this session, on top of the file's budget."""

    trials: int | None = None  # in all
    more_trials: int | None = None  # on top of those in the ledger
    hours: float | None = None  # from now
    until: str | None = None  # "07:00"

    @staticmethod
    def parse(trials: str | None, hours: float | None, until: str | None) -> Limits:
        """From the words of the command line: trials is N or +N. Raises InputMistake."""
        if trials is not None and re.fullmatch(r"\+?\d{1,6}", trials) is None:
            raise InputMistake(f"--trials: must be a whole number N, or +N for N more, but got {trials!r}")
        if until is not None:
            try:
                time_of_day(until, time.time())
            except ValueError as error:
                raise InputMistake(f"--until: {error}") from error
        more = trials is not None and trials.startswith("+")
        number = None if trials is None else int(trials)
        return Limits(None if more else number, number if more else None, hours, until)


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
