"""Tells unix time that passes evenly, whatever sets the machine's clock meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable


class SteadyClock:
    """Reads the wall clock once and then counts on, without the time in which the machine sleeps.

    For all that is waited for or counted; a time of day is read from the wall clock itself.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def __call__(self) -> float:
        return self._offset + self._monotonic()
