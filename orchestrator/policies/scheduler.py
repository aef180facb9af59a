"""What a scheduler is: told of every report in order, it answers continue, prune or pause."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Decision(StrEnum):
    CONTINUE = "continue"
    PRUNE = "prune"  # final: the trial is weak
    PAUSE = "pause"  # the trial may go on later


class Scheduler(Protocol):
    """Its state depends only on the reports it was told, in their order, so replaying a ledger rebuilds it."""

    def report(self, trial: int, epoch: int, value: float) -> Decision:
        """`value` is finite; a repeated epoch replaces the value given before."""


class RunToTheEnd:
    """Stops nothing."""

    def report(self, trial: int, epoch: int, value: float) -> Decision:
        return Decision.CONTINUE
