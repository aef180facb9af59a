"""Knows which steps are due once a study's search is over, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.job import Failure, FailureClass, JobKind, JobRef
from orchestrator.ledger import StepTable
from orchestrator.step import Step
from orchestrator.trial import State, Trial


@dataclass(frozen=True)
class DueStep:
    """Names work to be done with a trial's checkpoint of `epoch`. pictures: of what the model sees, too."""

    kind: JobKind
    trial: int
    epoch: int
    pictures: bool = False

    def is_of(self, step: Step) -> bool:
        """Returns whether it is this work that the step does."""
        return (step.kind, step.trial, step.epoch) == (self.kind, self.trial, self.epoch)


def due(
    best: Trial | None, trials: Sequence[Trial], steps: Iterable[Step], saved: Callable[[Trial], int | None]
) -> list[DueStep]:
    """Returns the scorings that are still to be done: of the winner, then of the baselines.

    saved: the best epoch of those whose checkpoints are there. A scoring that failed is not due again: the same
    checkpoint would fail again.
    """
    if best is None:
        return []
    failed = [step for step in steps if step.state is State.FAILED]
    found = []
    for trial in [best, *(t for t in trials if t.baseline is not None and t.number != best.number)]:
        epoch = saved(trial) if trial.test is None else None
        if epoch is not None:
            step = DueStep(JobKind.SCORE, trial.number, epoch, pictures=trial.number == best.number)
            found += [] if any(map(step.is_of, failed)) else [step]
    return found


class Steps:
    """Holds the study's steps by number. Whatever changes is in the ledger first."""

    def __init__(self, table: StepTable, study_id: int) -> None:
        self._table, self._id = table, study_id
        self._steps = {step.number: step for step in table.of(study_id)}
        self._running: set[int] = set()  # of this session

    def __getitem__(self, number: int) -> Step:
        return self._steps[number]

    @property
    def listed(self) -> list[Step]:
        """Returns all steps."""
        return list(self._steps.values())

    @property
    def running(self) -> list[Step]:
        """Returns those that run, by number."""
        return [self._steps[number] for number in sorted(self._running)]

    def begin(self) -> None:
        """Pauses what ran when the driver died, and what was given up because worker after worker was lost."""
        for step in self.listed:
            if step.state is State.RUNNING:
                self.pause(step.number, "the driver died")
            elif step.state is State.FAILED and step.failures[-1].kind is FailureClass.WORKER_LOST:
                self.pause(step.number, step.reason or "")

    def start(self, work: DueStep, accumulation_steps: int | None, gpus: float) -> Step:
        """Lets the step that does this work go on, or a new one begin."""
        paused = next((step for step in self.listed if step.state is State.PAUSED and work.is_of(step)), None)
        if paused is None:
            step = self._table.add(self._id, work.kind, work.trial, work.epoch, accumulation_steps, gpus)
        else:
            step = self._table.start_attempt(self._id, paused, gpus)
        self._steps[step.number] = step
        self._running.add(step.number)
        return step

    def complete(self, number: int, result: Mapping[str, float]) -> Step:
        """Ends a step with its result."""
        return self._end(number, self._table.finish(self._id, self[number], State.COMPLETED, result=result))

    def pause(
        self, number: int, reason: str, failure: Failure | None = None, accumulation_steps: int | None = None
    ) -> Step:
        """Ends the attempt; the step begins anew, with so many accumulation_steps."""
        kind = None if failure is None else failure.kind
        paused = self._table.finish(
            self._id, self[number], State.PAUSED, reason, failure=kind, accumulation_steps=accumulation_steps
        )
        return self._end(number, paused)

    def fail(self, number: int, reason: str, failure: Failure) -> Step:
        """Ends the step for good."""
        failed = self._table.finish(
            self._id, self[number], State.FAILED, reason, failure.traceback, failure=failure.kind
        )
        return self._end(number, failed)

    def set_facts(self, number: int, facts: Mapping[str, Any]) -> None:
        """Replaces the facts of a step."""
        self._steps[number] = self._table.set_facts(self._id, self[number], facts)

    def _end(self, number: int, step: Step) -> Step:
        self._steps[number] = step
        self._running.discard(number)
        return step


def ref_of(step: Step) -> JobRef:
    """Returns the name of the step's last attempt."""
    return JobRef(step.kind, step.number, step.attempts)
