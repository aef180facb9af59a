"""Joins a searcher that proposes and a scheduler that stops: nothing is ever paused or taken up again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from orchestrator.policies.policy import Decision, Done, Move, New
from orchestrator.policies.scheduler import Scheduler
from orchestrator.policies.searcher import Searcher
from orchestrator.trial import Report, Trial


class StoppingPolicy:
    """Starts a new trial whenever a worker is free, and stops the weak ones where the scheduler says so.

    others: trials of other studies, for the searcher. last_epoch: the number of epochs of a trial's complete run,
    infinite where it is not known.
    """

    def __init__(
        self,
        searcher: Searcher,
        scheduler: Scheduler,
        metric: str,
        *,
        others: Sequence[Trial] = (),
        last_epoch: Callable[[Trial], float],
    ) -> None:
        self.metric = metric
        self._searcher = searcher
        self._scheduler = scheduler
        self._others = others
        self._last_epoch = last_epoch
        self._exhausted = False

    def next(self, trials: Sequence[Trial], running: Collection[int], *, new: bool) -> Move:
        """Returns New with what the searcher proposes; Done when it, or `new`, allows none."""
        if not new or self._exhausted:
            return Done()
        config = self._searcher.propose(trials, self._others)
        self._exhausted = config is None
        return Done() if config is None else New(config)

    def after(self, trial: Trial, report: Report) -> Decision:
        """Returns what the scheduler says, but for trials that it may not stop."""
        decision = self._scheduler.report(trial.number, report.epoch, report.metrics[self.metric])
        if decision is Decision.CONTINUE:
            return decision
        if trial.baseline is not None or report.epoch >= self._last_epoch(trial):
            return Decision.CONTINUE  # a baseline is compared with, so it is trained whole; a last epoch saves nothing
        if any(report.epoch <= extension.after for extension in trial.extended):
            return Decision.CONTINUE  # this was decided before the study was extended, and the trial went on
        return decision

    def reason(self, decision: Decision, report: Report) -> str:
        """Returns the scheduler's reason."""
        return self._scheduler.reason(report.epoch)

    def close(self, trials: Sequence[Trial]) -> Mapping[int, str]:
        """Returns nothing, because nothing is paused."""
        return {}

    def milestones(self, epochs: int) -> list[int]:
        """Returns the scheduler's rungs."""
        return self._scheduler.milestones(epochs)

    def expected_epochs(self, trials: int, epochs: int) -> float:
        """Returns what the scheduler expects."""
        return self._scheduler.expected_epochs(trials, epochs)
