"""Writes the units by which systemd starts the nights of a file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from pathlib import Path

from orchestrator.nights.window import DAYS


def service_unit(night_file: Path, launcher: Path) -> str:
    """Returns the unit of one night.

    Only the night gets the signal of a stop (mixed): it pauses its run, which takes until the next reports. A trial
    that the kernel kills for its memory is retried by its study, so the unit goes on. A night that is killed begins
    again.
    """
    return f"""\
[Unit]
Description=nightsweep: the nights of {_percent(str(night_file))}

[Service]
Type=exec
ExecStart=/bin/sh {_quoted(str(launcher))}
KillMode=mixed
TimeoutStopSec=1h
OOMPolicy=continue
Restart=on-abnormal
RestartSec=60
SuccessExitStatus=130
"""


def timer_unit(night_file: Path, times: Mapping[time, set[int]], zone: str | None) -> str:
    """Returns the unit that starts it. times: with the weekdays of each, 0 for Monday. zone: None for this machine's.

    A machine that was off at the start begins late (Persistent); one that was started by night goes on (OnStartupSec).
    """
    return f"""\
[Unit]
Description=nightsweep: starts the nights of {_percent(str(night_file))}

[Timer]
{"".join(f"OnCalendar={_calendar(at, days, zone)}{chr(10)}" for at, days in times.items())}\
OnStartupSec=1min
Persistent=true
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def _calendar(at: time, days: set[int], zone: str | None) -> str:
    """Writes `Mon,Tue *-*-* 22:00:00 Asia/Seoul`."""
    names = ",".join(DAYS[day].capitalize() for day in sorted(days))
    return " ".join([names, "*-*-*", f"{at:%H:%M}:00", *([zone] if zone else [])])


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_percent(escaped)}"'
