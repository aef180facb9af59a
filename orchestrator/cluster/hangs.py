"""Watches how long each running worker has been silent, and so tells a hang from a lost process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.job import Failure, FailureClass, Silence

LONGEST_TICK = 5.0  # Seconds: a driver that was itself asleep does not blame its workers.
FROZEN_AFTER = 10.0  # Seconds past its limit after which a worker cannot be expected to end itself any more.
_TAIL = 200_000  # Bytes at the end of a log that are searched for its last stacks.
_HEADING = "Timeout ("  # faulthandler writes it above the stacks.
_ATTEMPT = "--- attempt"  # A worker writes it at the start of an attempt.


@dataclass
class _Attempt:
    """Holds what is known of a running attempt. since: of its last sign of life, in the watch's own time."""

    silence: Silence
    since: float


class HangWatch:
    """Times every running attempt. A worker that hangs ends itself at its limit; a frozen one has to be killed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen = clock()
        self._time = 0.0  # Seconds that have passed while the driver was awake.
        self._attempts: dict[str, _Attempt] = {}

    def begin(self, attempt: str, silence: Silence) -> None:
        """Starts the clock of an attempt, which `attempt` names."""
        self.tick()
        self._attempts[attempt] = _Attempt(silence, self._time)

    def reported(self, attempt: str, epoch_seconds: float) -> None:
        """Restarts the clock of an attempt that has reported an epoch of so many seconds."""
        self.tick()
        watched = self._attempts[attempt]
        watched.silence, watched.since = watched.silence.after(epoch_seconds), self._time

    def end(self, attempt: str) -> None:
        """Stops the clock of an attempt."""
        self._attempts.pop(attempt, None)

    def tick(self) -> None:
        """Counts the time since the last call, which is to be made every second or so."""
        now = self._clock()
        self._time += min(now - self._seen, LONGEST_TICK)
        self._seen = now

    def frozen(self) -> list[str]:
        """Returns the attempts whose workers should have ended themselves; names them again until they have."""
        found = [
            name for name, each in self._attempts.items() if self._time - each.since > each.silence.limit + FROZEN_AFTER
        ]
        for name in found:
            self._attempts[name].since += FROZEN_AFTER
        return found

    def why_lost(self, attempt: str, log: Path) -> Failure:
        """Says why the attempt's process ended: of a hang if that was not before its limit. log: its log.txt."""
        self.tick()
        watched = self._attempts.get(attempt)
        if watched is None or self._time - watched.since < 0.95 * watched.silence.limit:
            return Failure(FailureClass.WORKER_LOST, "the worker process died")
        stacks = stacks_in(log)
        how = "the whole process stood still" if stacks is None else "its stacks are in log.txt"
        return Failure(FailureClass.HANG, f"no report for {watched.silence.limit:.0f} s; {how}", stacks)


def stacks_in(log: Path) -> str | None:
    """Returns the stacks of all threads that the last attempt left in its log when it hung; None where it left none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    start = text.rfind(_HEADING)
    return None if start <= text.rfind(_ATTEMPT) else text[start:]
