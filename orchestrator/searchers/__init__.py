"""Searchers propose the next config from the ledger's trials. One file per algorithm."""

from orchestrator.searchers.random import RandomSearcher
from orchestrator.searchers.searcher import Searcher
from orchestrator.space.search_space import SearchSpace

__all__ = ["RandomSearcher", "Searcher", "build_searcher"]


def build_searcher(sampler: str, space: SearchSpace, seed: int) -> Searcher:
    """The searcher that a study file names; `auto` is the best we have measured so far, today random."""
    assert sampler in ("auto", "random"), sampler
    return RandomSearcher(space, seed)
