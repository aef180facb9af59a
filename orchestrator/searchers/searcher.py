"""What a searcher is: the space and the trials so far in, the next config out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from orchestrator.trial import Trial


class Searcher(Protocol):
    def propose(self, trials: Sequence[Trial]) -> dict[str, Any] | None:
        """The next config, none of those already tried; None when the space holds no other.

        A pure function of the trials: no state outlives the call, so a crash loses nothing.
        """
