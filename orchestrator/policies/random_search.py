"""Draws at random (Bergstra & Bengio 2012): independent draws, never the same config twice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from orchestrator.plain_data import config_key
from orchestrator.space.search_space import SearchSpace
from orchestrator.trial import Trial

_DRAWS = 1000  # where so many meet no free config, the free ones are listed, or the space counts as exhausted


class RandomSearcher:
    """Draws configs: the n-th depends on the seed, n, and the configs before it alone.

    What other studies found is left aside: a config of theirs may be drawn here as well, because on other data, under
    another seed or for other epochs it is another experiment.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space = space
        self.seed = seed
        self._read = 0  # so many trials were looked at, because making a key costs as much as a draw
        self._tried: set[str] = set()

    def propose(self, trials: Sequence[Trial], others: Sequence[Trial] = ()) -> dict[str, Any] | None:
        """Returns a config that was not tried; None when none is left.

        In a space that is too large to be listed, None also where none is met in a thousand draws.
        """
        for index in range(self._read, len(trials)):
            self._tried.add(config_key(trials[index].config))
        self._read = len(trials)
        if self.space.size is not None and len(self._tried) >= self.space.size:
            return None
        number = trials[-1].number if trials else 0  # counts the trials that were left out, too
        rng = random.Random(f"{self.seed}/{number}")
        for _ in range(_DRAWS):
            config = self.space.sample(rng)
            if config_key(config) not in self._tried:
                return config
        if not self.space.listable:
            return None
        free = [config for config in self.space.configs() if config_key(config) not in self._tried]
        return rng.choice(free) if free else None
