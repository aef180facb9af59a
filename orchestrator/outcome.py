"""How a session left its study."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Of a study, between two sessions and during one."""

    RUNNING = "running"
    FINISHED = "finished"
    PAUSED = "paused"  # stopped where the user asked: hours, a time of day
    INTERRUPTED = "interrupted"
    FAILED = "failed"  # no trial could complete


@dataclass(frozen=True)
class Outcome:
    status: Status
    started: int  # attempts started in this session
    study: str
