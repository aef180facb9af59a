"""Says what a night needs of the machine that it runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from orchestrator.nights.record import Standing, StudyRecord


class Clock(Protocol):
    """Tells the time, waits, and tells whether to go on."""

    @property
    def asked(self) -> int:
        """Returns how often this process has been asked to stop."""
        ...

    def now(self) -> float:
        """Returns unix time, by the clock that people set."""
        ...

    def sleep(self, seconds: float) -> None:
        """Returns after so long, or earlier when this process is asked to stop."""
        ...


class Process(Protocol):
    """Is one `tune run`."""

    def code(self) -> int | None:
        """Returns its exit code, negative where a signal ended it; None while it runs."""
        ...

    def stop(self) -> None:
        """Asks it to pause; the second time, to stop at once."""
        ...

    def errors(self) -> list[str]:
        """Returns the last lines of what it said on stderr."""
        ...


class World(Clock, Protocol):
    """Is what a night needs of its machine."""

    def steady(self) -> float:
        """Returns seconds by a clock that nothing sets."""
        ...

    def standing(self, study: str) -> Standing | None:
        """Returns how a study stands; None where it has not begun, or cannot be read."""
        ...

    def runner(self, study: str) -> str | None:
        """Returns the process that runs a study now; None without one."""
        ...

    def start(self, study: StudyRecord, file: Path, until: float) -> Process:
        """Starts `tune run` of a copy, until a unix time."""
        ...
