"""Defines the part of a policy that stops trials: told of every report in order, it answers continue or prune."""

from __future__ import annotations

from typing import Protocol

from orchestrator.policies.policy import Decision


class Scheduler(Protocol):
    """Stops trials. Its state depends only on the reports it was told, in their order: a replay rebuilds it."""

    def report(self, trial: int, epoch: int, value: float) -> Decision:
        """Returns what follows for the trial. `value` is finite; a repeated epoch replaces the value given before."""

    def reason(self, epoch: int) -> str:
        """Returns one line for the user: why a trial was stopped after `epoch` epochs."""

    def milestones(self, epochs: int) -> list[int]:
        """Returns the epochs, ascending, at which a trial of `epochs` epochs can be stopped; its last one is none."""

    def expected_epochs(self, trials: int, epochs: int) -> float:
        """Returns the epochs that so many trials of at most `epochs` epochs take in all."""


class RunToTheEnd:
    """Stops nothing."""

    def report(self, trial: int, epoch: int, value: float) -> Decision:
        """Returns CONTINUE."""
        return Decision.CONTINUE

    def reason(self, epoch: int) -> str:
        """Raises AssertionError: no trial is ever stopped."""
        raise AssertionError("nothing is stopped")

    def milestones(self, epochs: int) -> list[int]:
        """Returns none."""
        return []

    def expected_epochs(self, trials: int, epochs: int) -> float:
        """Returns those of complete runs."""
        return float(trials * epochs)
