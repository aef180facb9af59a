"""Watches how long each running worker has been silent, and so tells a hang from a lost process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.job import Failure, FailureClass, Silence
from orchestrator.worker.death import hang
from orchestrator.worker.trial_log import stacks_in

LONGEST_TICK = 5.0  # Seconds: a driver that was itself asleep does not blame its workers.
FROZEN_AFTER = 10.0  # Seconds past its limit after which a worker cannot be expected to end itself any more.


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
        return hang(watched.silence, stacks_in(log))
