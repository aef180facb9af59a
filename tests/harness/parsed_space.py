"""Makes a search space from what stands under `space` in a study file."""

from __future__ import annotations

from typing import Any

from orchestrator.mistake import Mistakes
from orchestrator.space.search_space import SearchSpace
from orchestrator.space.space_parser import parse_space


def space_of(raw: dict[str, Any], *constraints: str) -> SearchSpace:
    """Returns the space that `raw` describes, which must be free of mistakes."""
    mistakes = Mistakes()
    space = parse_space(raw, constraints, None, mistakes)
    assert [str(mistake) for mistake in mistakes] == []
    return space
