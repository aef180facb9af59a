"""Does what goes on beside a study's trials: the heartbeat of its lease, the deadline, full disks, and signals."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.disk import shortage as shortage_of
from orchestrator.ledger import Ledger
from orchestrator.progress import Progress
from orchestrator.stop_signals import stop_signals
from orchestrator.study.budget import Deadline
from orchestrator.study.study import Study
from orchestrator.trial import Status

BEAT_SECONDS = 5.0
INTERRUPTED = "interrupted"


class Upkeep:
    """Shows progress, keeps the lease alive, stops the study at its deadline, and lets it wait while a disk is full.

    deadline: None for none.
    """

    def __init__(
        self, ledger: Ledger, study_id: int, study: Study, progress: Progress, deadline: Deadline | None = None
    ) -> None:
        self._deadline = deadline or Deadline()
        self._ledger, self._id, self._study, self._progress = ledger, study_id, study, progress
        self._beat = time.monotonic()
        self._short = False  # Whether a disk was short of room when it was last looked at.
        self._said: str | None = None  # Why the study waits for its disk, as the user was told.
        self._machine_at_fault = False  # Whether the user was told so.
        self._told: str | None = None  # Why trials pause, as the user was told.
        ledger.wait_for_room_unless(self.over)
        self.watch_disks()  # A disk may be full before the first trial starts.

    @property
    def ends(self) -> float | None:
        """Returns the deadline as unix time, as far as it can be told now, to be shown; None for none."""
        wall = time.time()
        left = self._deadline.left(self._study.now(), wall)
        return None if math.isinf(left) else wall + left

    def beat(self) -> None:
        """Does all of it; to be called several times a second."""
        self._progress.tick()
        self.over()
        self.watch_disks()
        self._tell_of_lost_workers()
        if time.monotonic() - self._beat >= BEAT_SECONDS:
            self._beat = time.monotonic()
            if self._ledger.beat(self._id) and not self._study.stopping:
                self._study.stop(INTERRUPTED, Status.INTERRUPTED)
                self._progress.say("asked to stop: running trials pause at their next report")

    def watch_disks(self) -> None:
        """Lets the study wait while a disk is full, and go on when there is room again."""
        study, reserve = self._study, self._study.spec.checkpoints.reserve
        shortage = shortage_of(study.folders, reserve + reserve // 4 if study.outage.reason else reserve)
        if shortage is not None:
            study.outage.begin(shortage.partition(";")[0])
        elif study.outage.reason and (self._short or study.now() >= study.outage.retry_at):
            study.outage.end()
        self._short = shortage is not None
        if study.outage.reason and self._said is None:
            self._progress.say(
                f"{shortage or study.outage.reason}; nothing starts and running trials pause, until there is room again"
            )
        elif self._said is not None and not study.outage.reason:
            self._progress.say("trying again: there is room")
        self._said = study.outage.reason

    def _tell_of_lost_workers(self) -> None:
        """Says once that the study is held, and once that it is not any more."""
        lost = self._study.lost_workers
        if lost.reason is not None and not self._machine_at_fault:
            self._progress.say(
                f"{lost.reason}; nothing starts for a while, and it is tried again after longer and longer pauses: "
                "the machine is at fault and not the trials; look for what ends workers with dmesg | tail, free -h"
            )
        elif lost.reason is None and self._machine_at_fault:
            self._progress.say("workers report again; the trials go on")
        self._machine_at_fault = lost.reason is not None

    def over(self) -> bool:
        """Returns whether the study is to stop; stops it at its deadline."""
        if self._deadline.left(self._study.now(), time.time()) <= 0 and not self._study.stopping:
            self._study.stop("the deadline came")
        why = self._study.stopping or self._study.over
        if why is not None and why not in (self._told, INTERRUPTED):  # The handler of signals tells of an interruption.
            self._told = why
            self._progress.say(f"{why}: running trials pause at their next report")
        return self._study.stopping is not None


@contextmanager
def signals(study: Study, progress: Progress) -> Iterator[None]:
    """Lets the first Ctrl-C (or SIGTERM) pause trials at their next report, and the second stop at once."""

    def handle(number: int, frame: Any) -> None:
        if study.stopping == INTERRUPTED:
            raise KeyboardInterrupt
        study.stop(INTERRUPTED, Status.INTERRUPTED)
        progress.say("stopping: running trials pause at their next report; Ctrl-C again stops now")

    with stop_signals(handle):
        yield
