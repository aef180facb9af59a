"""Waits for a ledger whose server is away, for a bounded time, or whose disk is full, until there is room."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from orchestrator.ledger.errors import LedgerAway, LedgerFull

T = TypeVar("T")
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 5.0
FULL_PAUSE_SECONDS = 1.0


class Retry:
    """Begins. seconds: how long one act is repeated. say: told when it begins to wait, and when the server is back.

    Whoever has waited in vain once waits no more: what is left to do at the end fails at once.
    """

    def __init__(self, seconds: float, say: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._say = say
        self._in_vain = 0.0  # seconds
        self.hopeless: Callable[[], bool] = lambda: False  # asked while a disk is full: is it to be waited for no more?

    def insist(self, act: Callable[[], T]) -> T:
        """Returns what `act` returns, which must bear repeating. Raises LedgerAway when the time is over."""
        began: float | None = None
        full = False
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                result = act()
            except LedgerFull as error:
                if self._seconds == 0 or self.hopeless():
                    raise
                if not full:
                    said = str(error).partition(";")[0]
                    self._say(f"{said}; going on as soon as there is room, trials wait at their next report")
                full = True
                time.sleep(FULL_PAUSE_SECONDS)
            except LedgerAway as away:
                now = time.monotonic()
                if began is None:
                    if self._seconds > 0:
                        self._say(f"{away}; trying again for {self._seconds:.0f} s, trials wait at their next report")
                    began = now
                if now - began >= self._seconds:
                    self._in_vain, self._seconds = self._in_vain or self._seconds, 0.0
                    if not self._in_vain:
                        raise
                    raise LedgerAway(
                        f"{away}; it did not come back within {self._in_vain:.0f} s: when it has, start the same "
                        "command again, every report before is safe"
                    ) from away
                time.sleep(min(pause, max(0.0, began + self._seconds - now)))
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                if full:
                    self._say("the ledger has room again; nothing was lost")
                if began is not None:
                    self._say(f"the ledger answers again after {time.monotonic() - began:.0f} s; nothing was lost")
                return result
