"""Remembers in the ledger, for the next start, what MLflow has of a study itself, its trials aside."""

from __future__ import annotations

import time

from orchestrator.ledger.mlflow_marks import Marks
from orchestrator.secret import mask
from orchestrator.tracking.projection import digest
from orchestrator.tracking.store import file_of, identity

LATE_SECONDS = 600.0  # After so long a request that was never answered has been carried out, or never will be.


class StudyMark:
    """Holds what is known of the study's own run, and since when a run may have been made without our knowledge.

    A server that fails to answer may still create a run, even later. Until that is certain, runs are looked for.
    """

    def __init__(self, marks: Marks, study_id: int, uri: str) -> None:
        self._marks, self._id, self._uri = marks, study_id, uri

    def enter(self, *, afresh: bool = False) -> None:
        """Forgets what is known of another store; afresh: of this one, too, but for what may still arrive there."""
        uncertain_since = self.uncertain_since if afresh else None
        self._marks.enter(self._id, digest(mask(self._uri)), afresh=afresh)
        if afresh:
            self._write(None, uncertain_since)

    @property
    def sent(self) -> str | None:
        """Returns a digest of what the study's own run shows; None where nothing was sent."""
        return self._read()[0]

    @sent.setter
    def sent(self, digest: str) -> None:
        self._write(digest, self.uncertain_since)

    @property
    def uncertain_since(self) -> float | None:
        """Returns the unix time since which a run may arrive unseen; None where none can."""
        return self._read()[1]

    def uncertain_from_now(self) -> None:
        """Notes that a run may arrive unseen from now on."""
        self._write(self.sent, time.time())

    def settle(self) -> None:
        """Notes that runs were looked for; whatever was under way has arrived, if it was long enough ago."""
        if self.look_is_due:
            self._write(self.sent, None)

    @property
    def look_is_due(self) -> bool:
        """Returns whether whatever was under way has arrived by now, so that one more look for runs settles it."""
        uncertain_since = self.uncertain_since
        return uncertain_since is not None and time.time() - uncertain_since > LATE_SECONDS

    @property
    def file_deleted(self) -> bool:
        """Returns whether something was sent to a SQLite store whose file has been deleted."""
        return self.sent is not None and file_of(self._uri) is not None and identity(self._uri) is None

    def _read(self) -> tuple[str | None, float | None]:
        digest, _, uncertain_since = (self._marks.study_seen(self._id) or "").partition(" ")
        return digest or None, float(uncertain_since) if uncertain_since else None

    def _write(self, sent: str | None, uncertain_since: float | None) -> None:
        self._marks.see_study(self._id, (sent or "") + (f" {uncertain_since:.0f}" if uncertain_since else ""))
