"""Decides what counts as a failure, and what follows from each class of them.

The ledger keeps the class of the failure that ended an attempt, so that a crash of the driver forgets none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.job import MACHINES_MEMORY, Failure, FailureClass
from orchestrator.mistake import nearest
from orchestrator.study_file.sections import FailuresSpec
from orchestrator.trial import FailedAttempt, Report, State, Trial, count_by_class


@dataclass(frozen=True)
class Verdict:
    """Holds what follows from a failure: the trial goes on from its checkpoint, or it fails.

    accumulation_steps: with which it goes on, where memory ran out.
    """

    again: bool
    reason: str  # one line: `kind: message`
    accumulation_steps: int | None = None


def failure_of(report: Report, required: set[str]) -> Failure | None:
    """Returns what is wrong with a report: a metric that must be there is not, or is no finite number."""
    for metric in sorted(required):
        if metric not in report.metrics:
            given = ", ".join(sorted(report.metrics)) or "nothing"
            meant = nearest(metric, report.metrics)
            hint = "" if meant is None else f"; did you mean `{meant}`?"
            said = f"epoch {report.epoch} must report `{metric}`, but reported {given}{hint}"
            return Failure(FailureClass.EXCEPTION, said)
    for metric in sorted(required | {"train/loss"} & report.metrics.keys()):
        if not math.isfinite(report.metrics[metric]):
            message = f"`{metric}` is {report.metrics[metric]} at epoch {report.epoch}"
            return Failure(FailureClass.NON_FINITE, message)
    return None


def lost_since(trial: Trial, newest: float) -> bool:
    """Returns whether the trial failed by lost workers, and no trial has reported since to show that it is at fault.

    newest: unix time of the study's newest report.
    """
    lost = trial.failures[-1:] and trial.failures[-1].kind is FailureClass.WORKER_LOST
    return trial.state is State.FAILED and bool(lost) and (trial.ended or 0.0) >= newest


def never_reported(required: set[str], trials: Iterable[Trial]) -> set[str]:
    """Returns what no report of any trial has: the study file asks for what the trainable does not report."""
    missing = set(required)
    for report in (report for trial in trials for report in trial.reports):
        missing -= report.metrics.keys()
        if not missing:
            break
    return missing


class Tried(Protocol):
    """Defines what judge looks at: a trial, or a step."""

    @property
    def failures(self) -> tuple[FailedAttempt, ...]: ...
    @property
    def epochs(self) -> int: ...
    @property
    def accumulation_steps(self) -> int | None: ...


def may_be_the_machines(failure: Failure) -> bool:
    """Returns whether a worker was lost, not by a crash of its own, or its machine had no memory."""
    return failure.kind is FailureClass.WORKER_LOST or failure.cause == MACHINES_MEMORY


def recorded_class(failure: Failure, *, of_several: bool) -> FailureClass:
    """Returns the class that the ledger keeps: a worker without memory is a lost one where others are lost, too.

    of_several: workers of several trials were lost in a row, so that the machine is at fault and not a batch.
    """
    return FailureClass.WORKER_LOST if of_several and may_be_the_machines(failure) else failure.kind


def was_spared(trial: Trial, policy: FailuresSpec) -> bool:
    """Returns whether the trial lost so many workers that it would have failed, had others not lost theirs, too."""
    return trial.failures.count(FailedAttempt(FailureClass.WORKER_LOST, trial.epochs)) >= policy.lost_workers


def judge(failure: Failure, tried: Tried, config: Any, policy: FailuresSpec) -> Verdict:
    """Returns what follows from `failure`. config: what the trainable receives."""
    reason = f"{failure.kind}: {failure.message}"
    if failure.kind is FailureClass.OUT_OF_MEMORY:
        return _out_of_memory(reason, tried, config, policy)
    forgiven = {FailureClass.WORKER_LOST: policy.lost_workers, FailureClass.CRASH: policy.lost_workers}
    allowed = (forgiven | {FailureClass.HANG: policy.hangs}).get(failure.kind, 1)
    without_a_new_epoch = sum(each == FailedAttempt(failure.kind, tried.epochs) for each in tried.failures)
    return Verdict(without_a_new_epoch + 1 < allowed, reason)


def _out_of_memory(reason: str, tried: Tried, config: Any, policy: FailuresSpec) -> Verdict:
    """Halves the micro-batch at the same batch_size: accumulation_steps is the pieces that a batch is cut into."""
    steps = tried.accumulation_steps or getattr(config, "accumulation_steps", None)
    batch_size = getattr(config, "batch_size", math.inf)
    halved = sum(each.kind is FailureClass.OUT_OF_MEMORY for each in tried.failures)
    if steps is None:
        return Verdict(False, f"{reason}; the trainable's Config has no accumulation_steps to cut its batches by")
    if steps >= batch_size:
        return Verdict(False, f"{reason}; the micro-batch is 1 already")
    if halved >= policy.memory_halvings:
        return Verdict(False, f"{reason}; the micro-batch was halved {halved} times (failures.memory_halvings)")
    steps = int(min(2 * steps, batch_size))
    return Verdict(True, f"{reason}; goes on with accumulation_steps {steps}", steps)


def every_failure(trials: Iterable[Trial]) -> dict[str, int]:
    """Counts those of all trials by class, whether the trial was tried again or not."""
    return count_by_class(each for trial in trials for each in trial.failures)


class Streak:
    """Exceptions alike, one trial after another, none of which got further: a mistake in the code, not in a config."""

    def __init__(self, allowed: int | None) -> None:
        self.trials: list[int] = []
        self._allowed = math.inf if allowed is None else allowed
        self._alike: tuple[str, str | None] | None = None  # the first cause, and where it was raised
        self._epochs = 0  # that the furthest of them had reported

    @property
    def too_long(self) -> bool:
        return len(self.trials) >= self._allowed

    def failed(self, trial: Trial, failure: Failure) -> list[int]:
        """Adds one, if it is of that kind; returns the trials whose streak it has broken."""
        if failure.kind not in (FailureClass.EXCEPTION, FailureClass.CRASH):
            return []
        alike = (failure.cause or failure.message.partition(":")[0], failure.place)
        broken = [] if alike == self._alike else self._begin(alike)
        self.trials.append(trial.number)
        self._epochs = max(self._epochs, trial.epochs)
        return broken

    def reported(self, epoch: int) -> list[int]:
        """Notes that a trial came through this epoch; returns those that did not, which owe it to their configs."""
        return self._begin(None) if epoch > self._epochs else []

    def end(self) -> list[int]:
        """Ends with the session; returns the trials of a streak that was not too long."""
        return [] if self.too_long else self._begin(None)

    def _begin(self, alike: tuple[str, str | None] | None) -> list[int]:
        before, self.trials, self._alike, self._epochs = self.trials, [], alike, 0
        return before
