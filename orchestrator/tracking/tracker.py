"""Keeps MLflow up to date about a running study, from a thread of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from orchestrator.home import Home
from orchestrator.ledger import Ledger, LedgerError
from orchestrator.secret import mask
from orchestrator.tracking.sender import Busy, Refused, Sender
from orchestrator.tracking.store import gist_of
from orchestrator.typed_command import command

ROUND_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0  # Between two tries while MLflow does not answer.
QUIET_SECONDS = 3.0  # When the end of a study takes longer, the user is told why.
# At the end: the second try repairs what the first one found missing.
LAST_TRIES, BETWEEN_LAST_TRIES_SECONDS = 2, 0.5
_UP_TO_DATE = "up to date"


class Tracker:
    """Sends what MLflow lacks of one study, every two seconds, from a thread of its own.

    The study never waits for MLflow, and no error reaches it: sending is tried again, less and less often. `warn` is
    told when MLflow first fails, when it has recovered, and what it lacks at the end. MLflow takes 3 s to import, and
    is imported when there is a first report to send. status: one line for people.
    """

    def __init__(
        self, ledger_url: str | Path, study_id: int, uri: str, home: Path, *, warn: Callable[[str], None]
    ) -> None:
        self.status = "waiting for a first report"
        self._ledger_url, self._id, self._uri, self._home, self._warn = ledger_url, study_id, uri, home, warn
        self._why = ""  # Why MLflow is not up to date.
        self._said: set[str] = set()
        self._closing = threading.Event()
        self._deadline = 0.0  # Of closing, in time.monotonic.
        self._thread = threading.Thread(target=self._run, name="mlflow", daemon=True)
        self._thread.start()

    def close(self, timeout: float = 30.0) -> bool:
        """Sends what is left, for `timeout` seconds or until Ctrl-C. Returns whether MLflow now has everything."""
        self._deadline = time.monotonic() + timeout
        self._closing.set()
        with contextlib.suppress(KeyboardInterrupt):
            self._thread.join(min(timeout, QUIET_SECONDS))
            if self._thread.is_alive() and timeout > QUIET_SECONDS:
                self._warn(f"sending to MLflow what is left, {timeout:.0f} s at most; Ctrl-C leaves it to `tune sync`")
                self._thread.join(timeout - QUIET_SECONDS)
        if self.status == _UP_TO_DATE and not self._thread.is_alive():
            return True
        return not self._say_what_is_missing()

    def _run(self) -> None:
        ledger: Ledger | None = None
        sender: Sender | None = None
        pause, failures, last_tries, done = ROUND_SECONDS, 0, LAST_TRIES, False
        while not done:
            closing = self._closing.wait(pause)
            try:
                ledger = ledger or Ledger(self._ledger_url)
                sender = sender or Sender(ledger, self._id, self._uri, self._home)
                # While MLflow fails, a round is tried at once: to look up what it lacks could take long, and in vain.
                if failures or (sender.missing() if closing else sender.has_news()):
                    sender.round(closing=closing)
                    if failures:
                        self._say_once("recovered", f"MLflow at {mask(self._uri)} has everything again")
                    self.status, self._why, pause, failures = _UP_TO_DATE, "", ROUND_SECONDS, 0
                elif closing:
                    self.status = _UP_TO_DATE
                done = closing
            except Busy as other:  # `tune sync` sends all but what comes after its start.
                self.status = self._why = str(other)
                done = closing and self._over()
            except LedgerError as error:  # The study itself reports it.
                self.status = self._why = str(error)
                done = closing
            except Exception as error:  # The study goes on, whatever MLflow raises.
                self._failed(error)
                failures, last_tries = failures + 1, last_tries - closing
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                done = closing and (not last_tries or self._over())
        if ledger is not None:
            ledger.close()

    def _over(self) -> bool:
        """Waits a moment; returns whether the time for closing has run out."""
        time.sleep(min(BETWEEN_LAST_TRIES_SECONDS, max(0.0, self._deadline - time.monotonic())))
        return time.monotonic() >= self._deadline

    def _failed(self, error: Exception) -> None:
        """Notes why MLflow is not up to date, and says so once."""
        self._why = gist_of(error)
        does = "does not take" if isinstance(error, Refused) else "takes nothing now:"
        self.status = f"MLflow at {mask(self._uri)} {does} {self._why}"
        self._say_once("failed", f"{self.status}; the study goes on, and what is missing is sent later")

    def _say_once(self, occasion: str, line: str) -> None:
        if occasion not in self._said:
            self._said.add(occasion)
            self._warn(line)

    def _say_what_is_missing(self) -> bool:
        """Says what MLflow lacks, why, and what to type; returns whether it lacks anything."""
        try:
            with contextlib.closing(Ledger(self._ledger_url)) as ledger:
                name = ledger.study_of(self._id).name
                missing = Sender(ledger, self._id, self._uri, self._home).missing()
        except LedgerError as error:
            self._warn(f"what MLflow at {mask(self._uri)} lacks cannot be told: {error}")
            return True
        if missing is not None:
            why = self._why or "it took too long"
            send = command(replace(Home.of_ledger(self._ledger_url), path=self._home.absolute()), "sync", name)
            self._warn(f"{name}: MLflow at {mask(self._uri)} lacks {missing} ({why}); send it with: {send}")
        return missing is not None
