"""Random search (Bergstra & Bengio 2012): independent draws, never the same config twice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from orchestrator.space.search_space import SearchSpace, config_key
from orchestrator.trial import Trial

_DRAWS = 1000  # a space whose last free config is not met in so many draws counts as exhausted


class RandomSearcher:
    """The n-th config depends on the seed, n, and the configs before it alone."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space = space
        self.seed = seed
        self._keys: dict[int, str] = {}  # of the trials already seen: a key costs as much as a draw

    def propose(self, trials: Sequence[Trial]) -> dict[str, Any] | None:
        for trial in trials[len(self._keys) :]:
            self._keys[trial.number] = config_key(trial.config)
        tried = set(self._keys.values())
        if self.space.size is not None and len(tried) >= self.space.size:
            return None
        rng = random.Random(f"{self.seed}/{len(trials)}")
        for _ in range(_DRAWS):
            config = self.space.sample(rng)
            if config_key(config) not in tried:
                return config
        return None
