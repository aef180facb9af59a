"""Sends what a night came to, at its end or when it is owed, and says what became of that."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import tzinfo

from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.mistake import one_line
from orchestrator.moment import moment
from orchestrator.nights.apprise_client import AppriseMail
from orchestrator.nights.delivery import (
    PAUSES,
    VARIABLE,
    Message,
    deliver,
    is_owed,
    variables,
    what_is_missing,
)
from orchestrator.nights.night_file import NightFile
from orchestrator.nights.record import Delivery, NightFolder, NightRecord
from orchestrator.nights.window import Night
from orchestrator.nights.world import Clock
from orchestrator.typed_command import beside
from tune.night_digest import digest
from tune.night_machine import Machine, signals_counted
from tune.show import say

_LONGEST_SUBJECT = 200  # characters


class NightPost:
    """Sends the digests of one night file. It never raises for what an address, a service or a full disk does."""

    def __init__(self, night_file: NightFile, folder: NightFolder, clock: Clock, tell: Callable[[str], None]) -> None:
        self.names = variables(night_file.notify, os.environ)
        self._file, self._folder, self._clock, self._tell = night_file, folder, clock, tell
        self._office = AppriseMail()

    @property
    def _zone(self) -> tzinfo | None:
        return self._file.window.zone

    def say_what_is_missing(self) -> None:
        """Says, when a night begins, which variables are not set."""
        for line in what_is_missing(self.names, os.environ, self._office):
            self._tell(line)

    def send(self, record: NightRecord, lines: Sequence[str], *, keep: bool = True, once: bool = False) -> bool:
        """Sends the lines of a digest to whoever has not had it; returns whether all have.

        keep: whether the record is written. once: without a second try.
        """
        if not self.names:
            return True
        message = Message(one_line(f"{self._file.path.name}: {lines[0]}", _LONGEST_SUBJECT), "\n".join(lines))

        def save() -> None:
            try:
                if keep:
                    self._folder.write(record)
            except OSError as error:
                self._tell(f"what was sent cannot be noted: {error}")

        pauses = () if once else PAUSES
        deliver(record, message, self.names, os.environ, self._office, self._clock, save, pauses)
        for line in delivery_lines(record, self._clock.now(), self._zone, self._file.path.name):
            self._tell(line)
        return all(each.sent is not None for each in record.deliveries)

    def send_owed(self, present: Night | None) -> None:
        """Sends the digest of the last night where somebody still waits for it. present: the night that goes on."""
        last, now = self._folder.last(), self._clock.now()
        if last is None or not self.names or not is_owed(last, None if present is None else present.start, now):
            return
        self._tell(f"the digest of the night of {moment(last.start, now, self._zone)} has not been sent to all yet")
        self.send(last, digest(last, self._folder.last(before=last.start), self._zone, now), once=True)


def delivery_lines(record: NightRecord, now: float, zone: tzinfo | None, name: str) -> list[str]:
    """Says what reached whom. name: of the night file."""
    return [_delivery_line(each, now, zone, name) for each in record.deliveries]


def _delivery_line(delivery: Delivery, now: float, zone: tzinfo | None, name: str) -> str:
    if delivery.sent is not None:
        return f"sent to {delivery.target}, {moment(delivery.sent, now, zone)}"
    tries = f" after {delivery.tries} {'try' if delivery.tries == 1 else 'tries'}" if delivery.tries else ""
    again = f"the next start tries again, and `{beside('nightly', 'notify', name)}` now"
    return f"not sent to {delivery.target}{tries}: {delivery.error or 'it was not tried yet'}; {again}"


def send_by_hand(night_file: NightFile, home: Home) -> int:
    """Sends the digest of the last night again, or a trial message before the first; returns the exit code."""
    zone, now = night_file.window.zone, time.time()
    folder = NightFolder(home.path, night_file.path, zone)
    with signals_counted() as signals:
        post = NightPost(night_file, folder, Machine(home, signals, zone, say), say)
        if not post.names:
            must = f"must name a variable of the environment with an address, or {VARIABLE} must be set"
            raise InputMistake(f"{night_file.path}: notify: {must}; `export {VARIABLE}=mailto://...`")
        last, runner = folder.last(), folder.runner
        if last is None:
            trial = [
                "a trial message",
                f"The digests of {night_file.path.name} will come here.",
                "아침마다 지난밤의 결과가 여기로 옵니다.",
            ]
            record = NightRecord(str(night_file.path), "", now, now, None, os.getpid())
            return int(not post.send(record, trial, keep=False, once=True))
        lines = digest(last, folder.last(before=last.start), zone, now, runs=runner is not None and last.ended is None)
        last.deliveries = []  # so that whoever had it has it again
        # A process that runs a night writes its record itself.
        with folder.lease() if runner is None else nullcontext():
            return int(not post.send(last, lines, keep=runner is None, once=True))
