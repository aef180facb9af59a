"""Builds the policy that a study file names."""

from __future__ import annotations

from orchestrator.policies.asha import Asha
from orchestrator.policies.random_search import RandomSearcher
from orchestrator.policies.scheduler import RunToTheEnd, Scheduler
from orchestrator.policies.searcher import Searcher
from orchestrator.space.search_space import SearchSpace


def build_searcher(sampler: str, space: SearchSpace, seed: int) -> Searcher:
    """The searcher that a study file names; `auto` is the best we have measured so far, today random."""
    assert sampler in ("auto", "random"), sampler
    return RandomSearcher(space, seed)


def build_scheduler(name: str, *, eta: int, grace_epochs: int, mode: str) -> Scheduler:
    """The scheduler that a study file names; `mode` is the direction of its metric."""
    if name == "none":
        return RunToTheEnd()
    return Asha(eta=eta, grace_epochs=grace_epochs, mode=mode)
