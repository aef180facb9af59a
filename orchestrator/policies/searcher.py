"""Defines the part of a policy that proposes: the trials so far and those of other studies in, the next config out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from orchestrator.trial import Trial


class Searcher(Protocol):
    """Proposes configs. Outlives no session: a crash loses nothing."""

    def propose(self, trials: Sequence[Trial], others: Sequence[Trial] = ()) -> dict[str, Any] | None:
        """Returns the next config, none of those already tried; None when the space holds no other.

        A pure function of what it is given. From one call to the next `trials` only grow at their end, though the
        reports and states of those before may change. others: of the studies that `warm_start` names, their configs in
        the words of this space. Their values are those of their own data and epochs; `origin`, OTHER/NUMBER, tells them
        apart.
        """
