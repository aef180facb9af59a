"""Tells how long a study waits while what it writes to is full or away, or while its machine loses every worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from orchestrator.job import JobKind, JobRef

STORAGE_SECONDS, WORKERS_SECONDS, LONGEST_SECONDS = 30.0, 10.0, 600.0
LAST_PAUSES = 3  # after which that fails whose workers are lost in a row, where nothing else is left to be tried
OWN_OUTAGES = 4  # in a row, after which a trial fails that cannot write although the study's storage takes files


def pause_seconds(first: float, before: int) -> float:
    """Returns how long to wait after so many pauses in vain, of which the first took `first` seconds."""
    return min(first * 2.0**before, LONGEST_SECONDS)


class StorageOutage:
    """Holds the study while a disk is full, or its storage is away: nothing starts, and running trials pause.

    takes_files: tries whether the study's own folders can be written to. Where they can, what an attempt could not
    write is its own matter, and it is tried again a few times only.

    reason: why; None while there is no outage. retry_at: the clock's time before which nothing is tried again, whatever
    the disk says.
    """

    def __init__(self, now: Callable[[], float], takes_files: Callable[[], bool]) -> None:
        self.reason: str | None = None
        self.retry_at = 0.0
        self._now, self._takes_files = now, takes_files
        self._own: Counter[tuple[JobKind, int]] = Counter()  # outages of a trial or step that were its own matter
        self._refused = 0  # attempts in a row that ended because nothing could be written

    def begin(self, reason: str) -> None:
        """Holds the study until `end`."""
        self.reason = reason

    def refused(self, reason: str, work: tuple[JobKind, int]) -> bool:
        """Holds the study because an attempt could not write: the longer, the more often that happened in a row.

        Returns False where the trial, or step, is to fail instead.
        """
        self._own[work] += self._takes_files()
        if self._own[work] >= OWN_OUTAGES:
            self._refused = 0
            return False
        pause = pause_seconds(STORAGE_SECONDS, self._refused)
        self.reason, self.retry_at = reason, max(self.retry_at, self._now() + pause)
        self._refused += 1
        return True

    def end(self) -> None:
        """Lets the study go on."""
        self.reason, self.retry_at = None, 0.0

    def over(self, work: tuple[JobKind, int]) -> None:
        """Notes that an attempt at a trial, or step, came further: its next outage is a new one."""
        self._refused = 0
        self._own.pop(work, None)


class LostWorkers:
    """Holds the study while one worker after another is lost and no trial reports: the machine is at fault.

    It may be the kernel, which kills them because another program eats the memory, or what Ray needs is gone. After the
    second in a row nothing starts for a while, each time for longer; what runs goes on, and the first report ends it.

    reason: why nothing starts, from the first pause to that report; None otherwise. retry_at: when the pause ends, by
    the clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.reason: str | None = None
        self.pauses = 0  # since the last report
        self._now = now
        self.retry_at = 0.0
        self._row: list[JobRef] = []  # the attempts

    @property
    def pausing(self) -> bool:
        """Returns whether it is too early to start anything."""
        return self.reason is not None and self._now() < self.retry_at

    @property
    def works(self) -> set[tuple[JobKind, int]]:
        """Returns the trials and steps whose workers were lost since the last report."""
        return {(ref.kind, ref.number) for ref in self._row}

    @property
    def of_several(self) -> bool:
        """Returns whether it has hit more than one trial, so that none of them is at fault."""
        return len(self.works) > 1

    def lost(self, ref: JobRef, message: str) -> None:
        """Notes that the worker of this attempt was lost."""
        self._row.append(ref)
        if len(self._row) > 1 and not self.pausing:
            self.reason = f"{len(self._row)} workers in a row were lost without a report: {message}"
            self.retry_at = self._now() + pause_seconds(WORKERS_SECONDS, self.pauses)
            self.pauses += 1

    def reported(self) -> None:
        """Notes that a trial reported, or a step is done: the machine is well."""
        if self._row:
            self._row, self.reason, self.pauses = [], None, 0
