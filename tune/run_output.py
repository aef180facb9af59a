"""Owns standard output and error while a study runs: where they lead when their reader or their terminal is gone."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tune.outlet import Outlet, descriptor_of, lead_nowhere
from tune.run_log import RunLog

SETTLE_SECONDS = 2.0  # for a reader to take what was printed before he is left


class RunOutput:
    """Replaces both streams by outlets, and lets a closed terminal (SIGHUP) move them to the study's log.

    log: of the study, which begins with `begin_log`. advice: what is said where the output goes on elsewhere. begun: is
    called when the log has begun.
    """

    def __init__(self, log: Path, heading: str, advice: str, begun: Callable[[RunOutput], None] | None = None) -> None:
        self.log = RunLog(log)
        self._heading, self._advice, self._begun = heading, advice, begun
        self._streams = sys.stdout, sys.stderr
        self._outlets: dict[str, Outlet] = {}  # by the stream's name in sys
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> RunOutput:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            descriptor = descriptor_of(stream)
            if descriptor is not None:  # A test may have replaced the stream by one without a file.
                outlet = Outlet(stream, descriptor, self._on_lost)
                self._outlets[name] = outlet
                setattr(sys, name, outlet)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` has seen to it.
            self._handle(signal.SIGHUP, lambda number, frame: self.leave_terminal())
        self._handle(signal.SIGTTOU, signal.SIG_IGN)  # In the background, `stty tostop` would suspend the study.
        return self

    def __exit__(self, *raised: object) -> None:
        sys.stdout, sys.stderr = self._streams
        for outlet in self._outlets.values():
            outlet.finish()
        for number, before in self._handlers.items():
            signal.signal(number, before)
        self.log.close()

    @property
    def is_seen(self) -> bool:
        """Returns whether standard output still goes where the user sent it."""
        out = self._outlets.get("stdout")
        return out is None or out.reaches_its_reader

    def begin_log(self) -> None:
        """Creates the log, and moves there what has no reader any more. Does nothing the second time."""
        if self.log.descriptor is None:
            self.log.open(self._heading)
            for outlet in self._outlets.values():
                outlet.copied = True
                if not outlet.reaches_its_reader:
                    self._move(outlet)
            begun, self._begun = self._begun, None  # Where the log cannot be opened, this is called again.
            if begun is not None:
                begun(self)

    def end_of_views(self) -> None:
        """Lets the log have what is printed from now on."""
        for outlet in self._outlets.values():
            outlet.copied = False
            if outlet.reaches_its_reader and self.log.descriptor is not None:
                outlet.copy = self.log

    def leave_terminal(self) -> None:
        """Lets what led to a terminal lead to the log; where there is none to be had, asks this process to pause."""
        terminals = [outlet for outlet in self._outlets.values() if outlet.isatty()]
        if terminals:
            self.log.write(f"the terminal is gone; {self._advice}\n")
        if os.isatty(0):
            with suppress(OSError):
                lead_nowhere(0, os.O_RDONLY)
        self._leave(terminals)

    def leave_everything(self) -> None:
        """Lets pipes and files lead to the log, too, once they have what was printed so far."""
        for outlet in self._outlets.values():
            outlet.settle(SETTLE_SECONDS)
        self._leave(list(self._outlets.values()))

    def _leave(self, outlets: list[Outlet]) -> None:
        with suppress(OSError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            for outlet in outlets:
                outlet.skip()
                outlet.move_to(nothing)  # The log takes its place, at once or when it begins.
            os.close(nothing)
        for outlet in outlets:
            self._move(outlet)

    def _move(self, outlet: Outlet) -> None:
        if self.log.descriptor is not None:
            outlet.move_to(self.log.descriptor)
        elif outlet.copied:  # It should have been there by now.
            os.kill(os.getpid(), signal.SIGTERM)

    def _on_lost(self, lost: Outlet) -> int | None:
        """Tells whoever reads the other stream that nobody reads this one. It runs on the outlet's thread."""
        error = self._outlets.get("stderr")
        if error is not None and error is not lost and error.reaches_its_reader:
            error.write(f"nobody reads standard output any more; {self._advice}\n")
        return self.log.descriptor

    def _handle(self, number: int, handler: Any) -> None:
        with suppress(ValueError):  # Only the main thread may.
            self._handlers[number] = signal.signal(number, handler)
