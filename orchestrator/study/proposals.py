"""Decides what a free worker does next: baselines, then the best of other studies, then what the policy says."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Collection, Sequence

from orchestrator.plain_data import config_key
from orchestrator.policies.policy import Done, GoOn, New, Policy, Wait
from orchestrator.space.search_space import SearchSpace
from orchestrator.study.ahead import Ahead
from orchestrator.study.trials import Proposal
from orchestrator.study.warm_start import COLD, OFFERED, WarmStart
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.trial import Trial


def used_up(space: SearchSpace) -> str:
    """Says why a search ends before its budget: there is nothing left to try."""
    if space.size is None:
        return "all configs of the space were tried that the sampler meets"
    return (
        "the one config of the space was tried"
        if space.size == 1
        else f"all {space.size} configs of the space were tried"
    )


def is_used_up(reason: str | None) -> bool:
    """Returns whether that is why a study ended: it takes another space, not more trials."""
    return (
        reason is not None and re.match(r"(all|the one) .*configs? of the space (was|were) tried", reason) is not None
    )


class Proposals:
    """Hands out what the budget's number of trials leaves to try, and the paused trials that the policy takes up."""

    def __init__(self, spec: StudySpec, policy: Policy, warm: WarmStart = COLD) -> None:
        self._spec = spec
        self._ahead = Ahead(policy)
        self._warm = warm
        self._read = 0  # so many trials were looked at
        self._baselines: set[str | None] = set()  # those that were tried, or whose config another trial has
        self._taken: set[str] = set()  # the origins of trials
        self._tried: set[str] = set()  # configs, for as long as there is something to take over

    def next(
        self, trials: Sequence[Trial], running: Collection[int], revision: int
    ) -> Proposal | GoOn | Wait | Done | None:
        """Returns the next move after `trials`, which only grow; None while the policy computes it.

        running: the numbers of the trials that run. revision: differs where the trials do.
        """
        new = self._may_add(trials)
        if new:
            self._look_at(trials)
            for baseline in self._spec.baselines:
                if baseline.name not in self._baselines:
                    rng = random.Random(self._spec.search.seed)
                    return Proposal(self._spec.space.complete(baseline.values, rng), baseline.name)
            for trial in self._warm.offered:
                if len(self._taken) < OFFERED and config_key(trial.config) not in self._tried:
                    return Proposal(dict(trial.config), origin=trial.origin)
        move = self._ahead.move(trials, running, revision, new=new)
        if isinstance(move, New):
            return Proposal(move.config, until=move.until)
        if isinstance(move, Done) and new and move.reason is None:
            return Done(used_up(self._spec.space))
        return move

    def look_ahead(self, trials: Sequence[Trial], running: Collection[int], revision: int) -> None:
        """Lets a policy that takes long think about its next move while all workers are busy."""
        self._ahead.look_ahead(trials, running, revision, new=self._may_add(trials))

    def skip(self, proposal: Proposal) -> None:
        """Notes that another trial has this config: a second name of it names nothing new."""
        self._baselines.add(proposal.baseline)
        self._tried.add(config_key(proposal.config))
        self._ahead.forget()

    def _look_at(self, trials: Sequence[Trial]) -> None:
        for index in range(self._read, len(trials)):
            trial = trials[index]
            self._baselines.add(trial.baseline)
            if trial.origin is not None:
                self._taken.add(trial.origin)
            if self._warm.offered:
                self._tried.add(config_key(trial.config))
        self._read = len(trials)

    def _may_add(self, trials: Sequence[Trial]) -> bool:
        return len(trials) < (math.inf if self._spec.budget.trials is None else self._spec.budget.trials)
