"""Tells which process runs a study, and whether it still lives."""

from __future__ import annotations

import math
import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SILENT_SECONDS = 60.0  # a lease on another host that gave no sign of life for so long is taken for dead
_SAME_START_SECONDS = 2.0  # for ledgers of earlier versions, whose unix times were corrected by the clock's
_UNIX = 1e9  # seconds: no machine runs so long
_START = 19  # starttime, the 22nd word of /proc/PID/stat, counted from the one after the program's name


@dataclass(frozen=True, slots=True)
class Lease:
    """Names the process that runs a study.

    since, beat: its start with it and its last sign of life; now: when this was read. All are unix times by the
    database's clock, so that hosts whose clocks differ agree on how long one of them was silent. seconds: that it had
    the study by then, whatever set the clock; None in ledgers of earlier versions.
    """

    pid: int
    host: str
    since: float
    beat: float
    process_start: float | None = None  # as process_start returns it: process numbers are given again
    seconds: float | None = None
    now: float = field(default_factory=time.time, compare=False)

    @property
    def silent(self) -> float:
        """Seconds since its last sign of life."""
        return self.now - self.beat

    @property
    def alive(self) -> bool:
        """Returns whether that process lives; of another host, whether its last heartbeat is under 60 s old."""
        if self.host != socket.gethostname():
            return abs(self.silent) < SILENT_SECONDS  # a sign of life in the future comes of a clock that was set
        start = process_start(self.pid)
        if start is None or self.process_start is None:
            return start is not None
        if self.process_start > _UNIX and not math.isnan(start):  # written by an earlier version
            start = psutil.Process(self.pid).create_time()
        return not abs(start - self.process_start) > _SAME_START_SECONDS

    @property
    def seems_dead_elsewhere(self) -> bool:
        """Returns whether it is dead by the clock alone. A clock may be set: that it is kept shows in its `seconds`."""
        return self.host != socket.gethostname() and not self.alive and self.seconds is not None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {time.strftime('%Y-%m-%d %H:%M', time.localtime(self.since))}"


def process_start(pid: int) -> float | None:
    """Returns when the process started, in seconds since the machine did; None without it, or with its remains only.

    Whatever tells unix time instead is moved when the clock is set.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists():  # another system than Linux
            return process.create_time()
        ticks = stat.read_text().rpartition(")")[2].split()[_START]  # a program's name may hold anything before
        return int(ticks) / os.sysconf("SC_CLK_TCK")
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None
    except psutil.AccessDenied:  # it lives, but hides
        return math.nan
