"""The configs that a study has yet to try: baselines, the best of other studies, then what the searcher proposes."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.plain_data import config_key
from orchestrator.policies.searcher import Searcher
from orchestrator.study.warm_start import COLD, OFFERED, WarmStart
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.trial import Trial


@dataclass(frozen=True)
class Proposal:
    """The config of a trial that does not exist yet; its name if it is a baseline; OTHER/7 if it is another study's."""

    config: dict[str, Any]
    baseline: str | None = None
    origin: str | None = None


class Proposals:
    """What the budget's number of trials leaves to try."""

    def __init__(self, spec: StudySpec, searcher: Searcher, warm: WarmStart = COLD) -> None:
        self._spec = spec
        self._searcher = searcher
        self._warm = warm
        self._read = 0  # so many trials were looked at
        self._baselines: set[str | None] = set()  # tried, or of a config that another trial has
        self._taken: set[str] = set()  # origins of trials
        self._tried: set[str] = set()  # configs, as long as there is something to take over
        self._exhausted = False

    def next(self, trials: Sequence[Trial]) -> Proposal | None:
        """The next one after `trials`, which only grow; None when the budget or the space holds no other."""
        if self._exhausted or len(trials) >= self._allowed():
            return None
        self._look_at(trials)
        for baseline in self._spec.baselines:
            if baseline.name not in self._baselines:
                rng = random.Random(self._spec.search.seed)
                return Proposal(self._spec.space.complete(baseline.values, rng), baseline.name)
        for trial in self._warm.offered:
            if len(self._taken) < OFFERED and config_key(trial.config) not in self._tried:
                return Proposal(dict(trial.config), origin=trial.origin)
        config = self._searcher.propose(trials, self._warm.others)
        self._exhausted = config is None
        return None if config is None else Proposal(config)

    def skip(self, proposal: Proposal) -> None:
        """Another trial has this config: a second name of it names nothing new."""
        self._baselines.add(proposal.baseline)
        self._tried.add(config_key(proposal.config))

    def _look_at(self, trials: Sequence[Trial]) -> None:
        for index in range(self._read, len(trials)):
            trial = trials[index]
            self._baselines.add(trial.baseline)
            if trial.origin is not None:
                self._taken.add(trial.origin)
            if self._warm.offered:
                self._tried.add(config_key(trial.config))
        self._read = len(trials)

    def _allowed(self) -> float:
        return math.inf if self._spec.budget.trials is None else self._spec.budget.trials
