"""Keeps the best trial of a study up to date, because every report asks for it, and says whether it ends the search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.study.budget import over, trials_since_best
from orchestrator.study_file.sections import BudgetSpec
from orchestrator.trial import Objective, State, Trial, best_trial

_SETTLED = (State.COMPLETED, State.PRUNED)  # A trial in one of these states can fail no more.


class Leader:
    """Follows the study's own trials as they change.

    number: that of the best trial. settled: that of the best one that can fail no more; it leads if the best one fails.
    """

    def __init__(self, trials: Mapping[int, Trial], objective: Objective, budget: BudgetSpec) -> None:
        self.number: int | None = None
        self.settled: int | None = None
        self._trials = trials
        self._objective = objective
        self._budget = budget
        self._since_best: int | None = None  # trials that ended since; None: to be counted anew
        self.find()

    @property
    def trial(self) -> Trial | None:
        """Returns the best one; None before the first value."""
        return None if self.number is None else self._trials[self.number]

    @property
    def winners(self) -> tuple[int | None, int | None]:
        """Returns the numbers of those that keep their checkpoints, whatever their states."""
        return self.number, self.settled

    @property
    def over(self) -> str | None:
        """Returns the reason to end the search (target reached, or patience used up); None to continue."""
        best = self.trial
        if best is None or (self._budget.target is None and self._budget.patience is None):
            return None
        if self._since_best is None:
            self._since_best = trials_since_best(self._trials.values(), best, self._objective)
        return over(self._budget, self._objective, best, self._since_best)

    def find(self) -> None:
        """Looks at all trials anew."""
        self.number, self._since_best = self._best_of(self._trials.values()), None
        self.settled = self._best_of(trial for trial in self._trials.values() if trial.state in _SETTLED)

    def reported(self, trial: Trial, *, repeated: bool) -> Trial | None:
        """Lets `trial` lead if it is the best now; returns the trial that no longer leads.

        repeated: its report took the place of an earlier one, which may have been the best.
        """
        before = self.trial
        if repeated:
            self.find()
        elif trial.number == self.number:
            self._since_best = None
        elif self._is_better(trial, before):
            self.number, self._since_best = trial.number, None
        return before if before is not None and before.number != self.number else None

    def ended(self, trial: Trial) -> Trial | None:
        """Notes that `trial` completed, was pruned or failed; a trial that failed does not lead.

        Returns the trial that is no longer the best settled one.
        """
        self._since_best, before = None, self.settled
        if trial.state in _SETTLED:
            self.settled = self._best_of(self._trials[n] for n in (before, trial.number) if n is not None)
        elif trial.number == self.number:
            self.find()
        return None if before is None or before == self.settled else self._trials[before]

    def _best_of(self, trials: Iterable[Trial]) -> int | None:
        best = best_trial(list(trials), self._objective)
        return None if best is None else best.number

    def _is_better(self, trial: Trial, best: Trial | None) -> bool:
        value = trial.value(self._objective)
        leading = None if best is None else best.value(self._objective)
        if value is None or best is None or leading is None:
            return value is not None
        if value == leading:
            return trial.number < best.number  # Of equals the earliest leads, as in trial.best_trial.
        return self._objective.better(value, leading)
