"""Sends to MLflow what it lacks of a study while the study runs, from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from orchestrator.ledger import Ledger
from orchestrator.secret import mask
from orchestrator.tracking.sender import Busy, Sender
from orchestrator.tracking.store import gist_of

ROUND_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0  # between two tries while MLflow is away
_IN_STEP = "up to date"


class Tracker:
    """Sends what MLflow lacks of one study, every two seconds, from a thread of its own.

    Nothing that goes wrong there reaches the study: `warn` is told once, and it is tried again, less and less often.
    MLflow is imported (3 s) when there is a first report to send. status: one line, for people.
    """

    def __init__(
        self, ledger_url: str | Path, study_id: int, uri: str, home: Path, *, warn: Callable[[str], None]
    ) -> None:
        self.status = "waiting for a first report"
        self._ledger_url, self._id, self._uri, self._home, self._warn = ledger_url, study_id, uri, home, warn
        self._warned = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mlflow", daemon=True)
        self._thread.start()

    def close(self, timeout: float = 30.0) -> bool:
        """Send what is left, within `timeout` seconds. Returns whether MLflow has it all now."""
        self._closing.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._say(f"MLflow at {mask(self._uri)} took too long")
        return self.status == _IN_STEP and not self._thread.is_alive()

    def _run(self) -> None:
        ledger: Ledger | None = None
        sender: Sender | None = None
        pause, last = ROUND_SECONDS, False
        while not last:
            last = self._closing.wait(pause)
            try:
                ledger = ledger or Ledger(self._ledger_url)
                sender = sender or Sender(ledger, self._id, self._uri, self._home)
                if last or sender.worth_it():
                    sender.round()
                    self.status, pause = _IN_STEP, ROUND_SECONDS
            except Busy as other:  # `tune sync` is at it: it sends what we would
                self.status = str(other)
            except Exception as error:  # the study goes on, whatever ails MLflow
                self.status = f"MLflow at {mask(self._uri)} takes nothing now: {gist_of(error)}"
                self._say(self.status)
                sender, pause = None, min(2 * pause, LONGEST_PAUSE_SECONDS)
        if ledger is not None:
            ledger.close()

    def _say(self, line: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(f"{line}; the study goes on, and `tune sync` sends what is missing")
