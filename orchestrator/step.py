"""Describes a step: work of a study that trains no trial, such as the scoring of its winner. Recorded like a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.job import JobKind
from orchestrator.trial import FailedAttempt, State


@dataclass(frozen=True, slots=True)
class Step:
    """Numbers count from 1 within a study. trial: whose checkpoint of `epoch` it works with.

    state: running, paused (it goes on, from its beginning), completed or failed. result: of a completed one.
    """

    number: int
    kind: JobKind
    trial: int
    epoch: int
    state: State = State.RUNNING
    reason: str | None = None  # one line: why paused or failed
    error: str | None = None  # the traceback of a failure
    result: Mapping[str, float] | None = None
    attempts: int = 1
    created: float = 0.0  # unix time
    ended: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the last attempt: host, device
    accumulation_steps: int | None = None  # in place of the config's, once memory ran out
    failures: tuple[FailedAttempt, ...] = ()  # by attempt

    @property
    def epochs(self) -> int:
        """Returns None: no step is gone on from, each attempt begins anew."""
        return 0
