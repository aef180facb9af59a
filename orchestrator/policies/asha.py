"""Asynchronous successive halving, stopping variant (Li et al. 2020, "Massively Parallel Hyperparameter Tuning").

A trial meets a rung at grace_epochs * eta**k epochs. There it goes on when its score is among the best
max(1, n // eta) of the n scores seen at that rung so far, its own included: no trial ever waits for another.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence

from orchestrator.policies.policy import Decision


def is_rung(epoch: int, grace_epochs: int, eta: int) -> bool:
    """Returns whether `epoch` is one of grace_epochs * eta**k, k = 0, 1, 2, ...; grace_epochs >= 1, eta >= 2."""
    rung = grace_epochs
    while rung < epoch:
        rung *= eta
    return rung == epoch


def rungs_up_to(epochs: int, grace_epochs: int, eta: int) -> list[int]:
    """Returns the rungs at which a trial of `epochs` epochs can be stopped: its last epoch is none."""
    rungs, rung = [], grace_epochs
    while rung < epochs:
        rungs.append(rung)
        rung *= eta
    return rungs


def survives(score: float, ranked: Sequence[float], eta: int) -> bool:
    """Returns whether `score` is among the best max(1, n // eta) of the n scores, itself included; ties survive.

    score: larger is better. ranked: all of them, worst first.
    """
    return score >= ranked[-max(1, len(ranked) // eta)]


class Rung:
    """Keeps the scores of one rung in order, so that ten thousand are not sorted again for every one that comes."""

    def __init__(self) -> None:
        self.ranked: list[float] = []  # worst first
        self._of: dict[int, float] = {}  # trial -> score

    def add(self, trial: int, score: float) -> None:
        """Adds a trial's score; a later one takes the place of its earlier one."""
        before = self._of.get(trial)
        if before is not None:
            del self.ranked[bisect_left(self.ranked, before)]
        self._of[trial] = score
        insort(self.ranked, score)


class Asha:
    """Stops all but the best 1/eta of the trials at every rung.

    A trial's score is its best value so far, so that one bad epoch at a rung (a switch of resolution, say) does not
    cost a good trial its life.
    """

    def __init__(self, eta: int = 4, grace_epochs: int = 1, mode: str = "max") -> None:
        """Raises ValueError for eta below 2, grace_epochs below 1, or a mode that is neither max nor min."""
        if eta < 2 or grace_epochs < 1 or mode not in ("max", "min"):
            got = f"eta={eta}, grace_epochs={grace_epochs}, mode={mode!r}"
            raise ValueError(f"eta >= 2, grace_epochs >= 1 and mode max or min must hold, but got {got}")
        self.eta = eta
        self.grace_epochs = grace_epochs
        self._sign = 1.0 if mode == "max" else -1.0
        self._scores: dict[int, dict[int, float]] = defaultdict(dict)  # trial -> epoch -> score of that epoch alone
        self._rungs: dict[int, Rung] = defaultdict(Rung)  # by epoch: each trial's best score up to it

    def report(self, trial: int, epoch: int, value: float) -> Decision:
        """Returns PRUNE at a rung where the trial is not among the best, else CONTINUE."""
        scores = self._scores[trial]
        scores[epoch] = self._sign * value
        if not is_rung(epoch, self.grace_epochs, self.eta):
            return Decision.CONTINUE
        score = max(s for e, s in scores.items() if e <= epoch)
        rung = self._rungs[epoch]
        rung.add(trial, score)
        return Decision.CONTINUE if survives(score, rung.ranked, self.eta) else Decision.PRUNE

    def reason(self, epoch: int) -> str:
        """Returns why a trial was stopped at the rung of this epoch."""
        return f"below the best 1/{self.eta} at the rung of epoch {epoch}"

    def milestones(self, epochs: int) -> list[int]:
        """Returns the rungs before the last epoch."""
        return rungs_up_to(epochs, self.grace_epochs, self.eta)

    def expected_epochs(self, trials: int, epochs: int) -> float:
        """Returns the epochs that the trials take if 1/eta of them goes on at each rung."""
        total, going, before = 0.0, float(trials), 0
        for rung in self.milestones(epochs):
            total += going * (rung - before)
            going, before = max(1.0, going / self.eta), rung
        return total + going * (epochs - before)
