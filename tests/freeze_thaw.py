"""A toy policy that pauses, takes up and lets go of trials, and a `tune` that runs with it.

`python -m tests.freeze_thaw run STUDY.yaml` is `tune run STUDY.yaml` under this policy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from orchestrator.policies.policy import Decision, Done, GoOn, Move, New, Wait
from orchestrator.policies.random_search import RandomSearcher
from orchestrator.policies.searcher import Searcher
from orchestrator.trial import PausedBy, Report, State, Trial

BLOCK = 2  # epochs after which a trial pauses
FIRST = 4  # trials that are started before any goes on
OPEN = 3  # paused trials that are kept at most


class FreezeThaw:
    """Starts some trials, then lets the best paused one go on by a block; lets go the worst of too many paused ones."""

    def __init__(self, searcher: Searcher, metric: str, epochs: int) -> None:
        self.metric = metric
        self._searcher = searcher
        self._epochs = epochs

    def next(self, trials: Sequence[Trial], running: Collection[int], *, new: bool) -> Move:
        """Returns a new config while there are few trials, else the best paused trial."""
        paused = self._paused(trials)
        if new and len(trials) < FIRST:
            return New(self._searcher.propose(trials) or {}, until=BLOCK)
        if paused:
            best = paused[-1]
            return GoOn(best.number, until=best.epochs + BLOCK)
        if running:
            return Wait()
        config = self._searcher.propose(trials) if new else None
        return Done() if config is None else New(config, until=BLOCK)

    def after(self, trial: Trial, report: Report) -> Decision:
        """Returns PAUSE after each block but the last."""
        last = report.epoch >= self._epochs
        return Decision.PAUSE if report.epoch % BLOCK == 0 and not last else Decision.CONTINUE

    def reason(self, decision: Decision, report: Report) -> str:
        """Returns the end of the block."""
        return f"its block ended at epoch {report.epoch}"

    def close(self, trials: Sequence[Trial]) -> Mapping[int, str]:
        """Returns the worst of the paused trials when more than OPEN of them wait."""
        return {trial.number: f"more than {OPEN} trials wait" for trial in self._paused(trials)[:-OPEN]}

    def milestones(self, epochs: int) -> list[int]:
        """Returns the ends of the blocks."""
        return list(range(BLOCK, epochs, BLOCK))

    def expected_epochs(self, trials: int, epochs: int) -> float:
        """Returns the first block of every trial, and one complete run."""
        return float(trials * BLOCK + epochs - BLOCK)

    def _paused(self, trials: Sequence[Trial]) -> list[Trial]:
        """Those that wait for the policy, the worst first."""
        waiting = [t for t in trials if t.state is State.PAUSED and t.paused_by is PausedBy.POLICY]
        return sorted(waiting, key=lambda trial: (trial.reports[-1].metrics[self.metric], -trial.number))


def build(spec: Any, **options: Any) -> FreezeThaw:
    """Builds it in the place of `policies.build.build_policy`."""
    return FreezeThaw(
        RandomSearcher(spec.space, spec.search.seed), spec.objective.metric, spec.space.fixed.get("epochs", 8)
    )


if __name__ == "__main__":
    import orchestrator.study.study
    import tune

    orchestrator.study.study.build_policy = build  # type: ignore[assignment]
    tune.main()
