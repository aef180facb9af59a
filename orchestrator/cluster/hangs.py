"""How long each running worker has been silent, as the driver sees it: a hang is told from a lost process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.job import Failure, FailureClass, Silence

LONGEST_TICK = 5.0  # seconds: a driver that was itself asleep does not blame its workers
FROZEN_AFTER = 10.0  # seconds past its limit after which a worker has not ended itself, as it should have
_TAIL = 200_000  # bytes of a log in which its last stacks are looked for
_HEADING, _ATTEMPT = "Timeout (", "--- attempt"  # what faulthandler writes, and a worker at its start


@dataclass
class _Attempt:
    silence: Silence
    since: float  # the watch's own time


class HangWatch:
    """A worker that hangs ends itself at the limit; one that is frozen as a whole cannot, and has to be killed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen = clock()
        self._time = 0.0  # seconds that passed while the driver was awake
        self._attempts: dict[str, _Attempt] = {}

    def begin(self, attempt: str, silence: Silence) -> None:
        """Its worker begins; attempt: any name of it."""
        self.tick()
        self._attempts[attempt] = _Attempt(silence, self._time)

    def reported(self, attempt: str, epoch_seconds: float) -> None:
        self.tick()
        watched = self._attempts[attempt]
        watched.silence, watched.since = watched.silence.after(epoch_seconds), self._time

    def end(self, attempt: str) -> None:
        self._attempts.pop(attempt, None)

    def tick(self) -> None:
        now = self._clock()
        self._time += min(now - self._seen, LONGEST_TICK)
        self._seen = now

    def frozen(self) -> list[str]:
        """The attempts whose workers should have ended themselves and have not; again and again until they have."""
        now, after = self._time, FROZEN_AFTER
        found = [name for name, each in self._attempts.items() if now - each.since > each.silence.limit + after]
        for name in found:
            self._attempts[name].since += after
        return found

    def why_lost(self, attempt: str, log: Path) -> Failure:
        """What the end of its process means: it hung if it ended no sooner than at its limit."""
        self.tick()
        watched = self._attempts.get(attempt)
        if watched is None or self._time - watched.since < 0.95 * watched.silence.limit:
            return Failure(FailureClass.WORKER_LOST, "the worker process died")
        stacks = stacks_in(log)
        how = "the whole process stood still" if stacks is None else "its stacks are in log.txt"
        return Failure(FailureClass.HANG, f"no report for {watched.silence.limit:.0f} s; {how}", stacks)


def stacks_in(log: Path) -> str | None:
    """The stacks of all threads that the last attempt left in its log when it hung; None where it left none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    start = text.rfind(_HEADING)
    return None if start <= text.rfind(_ATTEMPT) else text[start:]
