"""Holds the trials of a study that count: the ledger's once more, to be read without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.job import FailureClass
from orchestrator.ledger import Ledger
from orchestrator.trial import FailedAttempt, PausedBy, Report, State, Trial


@dataclass(frozen=True)
class Proposal:
    """Holds the config of a trial that does not exist yet.

    baseline: its name if it is one. origin: OTHER/7 if the config is that of another study's trial. until: the epoch at
    which the policy decides again.
    """

    config: dict[str, Any]
    baseline: str | None = None
    origin: str | None = None
    until: int | None = None


class Trials(Mapping[int, Trial]):
    """Holds them by number, which only grow. Whatever changes is in the ledger first."""

    def __init__(self, ledger: Ledger, study_id: int, trials: Iterable[Trial], now: Callable[[], float]) -> None:
        self._ledger, self._id, self._now = ledger, study_id, now
        self._trials = {trial.number: trial for trial in trials}
        self.listed = list(self._trials.values())  # kept, and not to be changed: every new trial asks for all
        self._place = {trial.number: index for index, trial in enumerate(self.listed)}
        self._open = {number for number, trial in self._trials.items() if not trial.state.final}
        self.revision = 0  # raised by every change of a trial

    def __getitem__(self, number: int) -> Trial:
        return self._trials[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._trials)

    def __len__(self) -> int:
        return len(self._trials)

    @property
    def unfinished(self) -> list[int]:
        """Returns the numbers of those that run or will go on, ascending."""
        return sorted(self._open)

    def add(self, proposal: Proposal, seed: int, gpus: float = 0.0) -> Trial:
        """Adds a trial, running its first attempt on so many `gpus`. Raises DuplicateConfig."""
        trial = self._ledger.add_trial(
            self._id, proposal.config, baseline=proposal.baseline, seed=seed, origin=proposal.origin, gpus=gpus
        )
        return self._keep(trial)

    def start_again(self, number: int, gpus: float = 0.0) -> Trial:
        attempt = self._ledger.start_attempt(self._id, number, gpus)
        return self._keep(replace(self[number], state=State.RUNNING, reason=None, attempts=attempt, paused_by=None))

    def record(self, number: int, report: Report) -> Trial:
        """Adds a report. Of a repeated epoch the later one counts."""
        self._ledger.record(self._id, number, report)
        others = [each for each in self[number].reports if each.epoch != report.epoch]
        return self._keep(replace(self[number], reports=tuple(sorted([*others, report], key=lambda r: r.epoch))))

    def finish(
        self,
        number: int,
        state: State,
        reason: str | None,
        error: str | None = None,
        *,
        paused_by: PausedBy | None = None,
        failure: FailureClass | None = None,
        accumulation_steps: int | None = None,
    ) -> Trial:
        """Ends its attempt, by a `failure` if one is given. state: any but running.

        paused_by: of a trial that is paused; None: the session. accumulation_steps: that it goes on with; None: as
        before.
        """
        self._ledger.finish(
            self._id,
            number,
            state,
            reason,
            error,
            paused_by=paused_by,
            failure=failure,
            accumulation_steps=accumulation_steps,
        )
        before = self[number]
        failed = () if failure is None else (FailedAttempt(failure, before.epochs),)
        trial = replace(
            before,
            state=state,
            reason=reason,
            error=error,
            ended=self._now() if state.final else None,
            paused_by=(paused_by or PausedBy.SESSION) if state is State.PAUSED else None,
            failures=before.failures + failed,
            accumulation_steps=accumulation_steps or before.accumulation_steps,
        )
        return self._keep(trial)

    def set_facts(self, number: int, facts: Mapping[str, Any]) -> Trial:
        """Puts these in the place of those that there are."""
        self._ledger.set_facts(self._id, number, facts)
        return self._keep(replace(self[number], facts=facts))

    def scored(self, number: int, metrics: Mapping[str, float]) -> Trial:
        """Notes the scores that the ledger got with the step that found them; {} where there is no test split."""
        return self._keep(replace(self[number], test=metrics))

    def _keep(self, trial: Trial) -> Trial:
        self.revision += 1
        if trial.number in self._trials:
            self.listed[self._place[trial.number]] = trial
        else:
            self._place[trial.number] = len(self.listed)
            self.listed.append(trial)
        self._trials[trial.number] = trial
        (self._open.discard if trial.state.final else self._open.add)(trial.number)
        return trial
