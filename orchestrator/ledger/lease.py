"""Which process runs a study, and whether it still lives."""

from __future__ import annotations

import math
import socket
import time
from dataclasses import dataclass, field

import psutil

SILENT_SECONDS = 60.0  # a lease on another host that gave no sign of life for so long is taken for dead
_SAME_START_SECONDS = 2.0  # the boot time that process starts count from is corrected by the clock's


@dataclass(frozen=True, slots=True)
class Lease:
    """The process that runs a study.

    since, beat: its start with it and its last sign of life; now: when this was read. All are unix times by the
    database's clock, so that hosts whose clocks differ agree on how long one of them was silent.
    """

    pid: int
    host: str
    since: float
    beat: float
    process_start: float | None = None  # unix time; a process number is given again after a reboot or a long night
    now: float = field(default_factory=time.time, compare=False)

    @property
    def silent(self) -> float:
        """Seconds since its last sign of life."""
        return self.now - self.beat

    @property
    def alive(self) -> bool:
        """On this host: does that very process live? On another: was its last sign of life less than 60 s ago?"""
        if self.host != socket.gethostname():
            return self.silent < SILENT_SECONDS
        start = process_start(self.pid)
        if start is None:
            return False
        return self.process_start is None or math.isclose(
            start, self.process_start, rel_tol=0, abs_tol=_SAME_START_SECONDS
        )

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {time.strftime('%Y-%m-%d %H:%M', time.localtime(self.since))}"


def process_start(pid: int) -> float | None:
    """Unix time at which the process started; None when there is none, or only its unreaped remains."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:  # it lives, but hides
        return math.nan
