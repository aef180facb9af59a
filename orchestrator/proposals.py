"""The configs that a study has yet to try: its baselines first, then what the searcher proposes."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.searchers import Searcher
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.trial import Trial


@dataclass(frozen=True)
class Proposal:
    """The config of a trial that does not exist yet, and its name if it is a baseline."""

    config: dict[str, Any]
    baseline: str | None = None


class Proposals:
    """What the budget's number of trials leaves to try."""

    def __init__(self, spec: StudySpec, searcher: Searcher) -> None:
        self._spec = spec
        self._searcher = searcher
        self._tried: set[str | None] = set()  # baselines whose config another trial has
        self._exhausted = False

    def next(self, trials: Sequence[Trial]) -> Proposal | None:
        """The next one after `trials`; None when the budget or the space holds no other."""
        if self._exhausted or len(trials) >= self._allowed():
            return None
        tried = {trial.baseline for trial in trials} | self._tried
        for baseline in self._spec.baselines:
            if baseline.name not in tried:
                rng = random.Random(self._spec.search.seed)
                return Proposal(self._spec.space.complete(baseline.values, rng), baseline.name)
        config = self._searcher.propose(trials)
        self._exhausted = config is None
        return None if config is None else Proposal(config)

    def skip(self, proposal: Proposal) -> None:
        """Another trial has this config: of two baselines of one config the second names nothing new."""
        self._tried.add(proposal.baseline)

    def _allowed(self) -> float:
        return math.inf if self._spec.budget.trials is None else self._spec.budget.trials
