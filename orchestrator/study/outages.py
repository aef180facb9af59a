"""Tells how long a study waits while what it writes to is full or away."""

from __future__ import annotations

from collections.abc import Callable

RETRY_SECONDS, LONGEST_RETRY_SECONDS = 30.0, 600.0  # while a disk refuses although it says that there is room


class StorageOutage:
    """Holds the study while a disk is full, or its storage is away: nothing starts, and running trials pause.

    reason: why; None while there is no outage. retry_at: the clock's time before which nothing is tried again, whatever
    the disk says.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.reason: str | None = None
        self.retry_at = 0.0
        self._now = now
        self._refused = 0  # attempts in a row that ended because nothing could be written

    def begin(self, reason: str) -> None:
        """Holds the study until `end`."""
        self.reason = reason

    def refused(self, reason: str) -> None:
        """Holds the study because an attempt could not write: the longer, the more often that happened in a row."""
        pause = min(RETRY_SECONDS * 2**self._refused, LONGEST_RETRY_SECONDS)
        self.reason, self.retry_at = reason, max(self.retry_at, self._now() + pause)
        self._refused += 1

    def end(self) -> None:
        """Lets the study go on."""
        self.reason, self.retry_at = None, 0.0

    def over(self) -> None:
        """Notes that an attempt could write: the next outage is a new one."""
        self._refused = 0
