"""Holds the attempts at trials that run in one session, and how each of them ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator.job import FailureClass, JobKind, JobRef
from orchestrator.study.budget import Allowance
from orchestrator.study.endings import reason_of_end
from orchestrator.study.event import Event
from orchestrator.study.last_epoch import LastEpoch
from orchestrator.study.leader import Leader
from orchestrator.study.trials import Trials
from orchestrator.trial import Objective, PausedBy, State, Trial


class Attempts:
    """Begins and ends them: in the ledger first, then for the allowance, the leader and whoever is shown progress.

    numbers: of the trials that run. untidy: of those of whose checkpoints fewer may be worth their disk than before.
    """

    def __init__(
        self,
        trials: Trials,
        objective: Objective,
        leader: Leader,
        allowance: Allowance,
        last_epoch: LastEpoch,
        on_event: Callable[[Event], None],
    ) -> None:
        self.numbers: set[int] = set()
        self.untidy: set[int] = set()
        self._trials, self._objective = trials, objective
        self._leader, self._allowance, self._last_epoch = leader, allowance, last_epoch
        self._on_event = on_event

    @property
    def trials(self) -> list[Trial]:
        """Returns the trials that run, by number."""
        return [self._trials[number] for number in sorted(self.numbers)]

    @property
    def refs(self) -> set[JobRef]:
        """Returns the names of the attempts."""
        return {JobRef(JobKind.TRAIN, trial.number, trial.attempts) for trial in self.trials}

    def begin(self, trial: Trial) -> None:
        """Notes an attempt that the ledger has as running."""
        self.numbers.add(trial.number)
        self._allowance.start(trial.number)

    def end(
        self,
        number: int,
        state: State,
        reason: str | None,
        error: str | None = None,
        *,
        event: str = "",
        paused_by: PausedBy | None = None,
        failure: FailureClass | None = None,
        accumulation_steps: int | None = None,
    ) -> None:
        """Ends the attempt at a trial, as `Trials.finish` does. event: what is told of it; by default its state."""
        trial = self._trials.finish(
            number,
            state,
            reason,
            error,
            paused_by=paused_by,
            failure=failure,
            accumulation_steps=accumulation_steps,
        )
        self.numbers.discard(number)
        self._allowance.end(number)
        dethroned = self._leader.ended(trial) if state.final else None
        self.untidy.update([number] if dethroned is None else [number, dethroned.number])
        self._on_event(Event(event or state.value, trial))

    def pause_or_complete(self, number: int, reason: str | None, failure: FailureClass | None = None) -> None:
        """Pauses a trial for the session, unless it has reported its last epoch: then it is completed."""
        trial = self._trials[number]
        if self._last_epoch.reached(trial) and trial.value(self._objective) is not None:
            reason = reason_of_end(trial, self._last_epoch.of(trial), None)
            self.end(number, State.COMPLETED, reason, failure=failure)
        elif trial.state is not State.PAUSED:
            self.end(number, State.PAUSED, reason, failure=failure)

    def take_back(self, numbers: Iterable[int]) -> None:
        """Lets those of the trials that failed go on, now or at the next start."""
        failed = [self._trials[n] for n in sorted(numbers) if self._trials[n].state is State.FAILED]
        for trial in failed:
            self._trials.finish(trial.number, State.PAUSED, trial.reason, trial.error)
        if failed:
            self._leader.find()
