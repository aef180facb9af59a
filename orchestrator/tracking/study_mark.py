"""What is known of a study's picture in MLflow beyond its trials; kept in the ledger, so that a next start knows it."""

from __future__ import annotations

import time

from orchestrator.ledger.mlflow_marks import Marks
from orchestrator.secret import mask
from orchestrator.tracking.projection import digest
from orchestrator.tracking.store import file_of, identity

LATE_SECONDS = 600.0  # by then a request that a server took in without an answer has been carried out or never will be


class StudyMark:
    """told: a digest of what the study's own run shows. doubt: unix time since when a run may arrive unseen.

    A server that fails to answer may make a run all the same, even later. While there is doubt, runs are looked for.
    """

    def __init__(self, marks: Marks, study_id: int, uri: str) -> None:
        self._marks, self._id, self._uri = marks, study_id, uri

    def enter(self, *, afresh: bool = False) -> None:
        """What is known of another store is forgotten; afresh: of this one, too, but for what may yet arrive there."""
        doubt = self.doubt if afresh else None
        self._marks.enter(self._id, digest(mask(self._uri)), afresh=afresh)
        if afresh:
            self._write(None, doubt)

    @property
    def told(self) -> str | None:
        return self._read()[0]

    @told.setter
    def told(self, digest: str) -> None:
        self._write(digest, self.doubt)

    @property
    def doubt(self) -> float | None:
        return self._read()[1]

    def doubt_from_now(self) -> None:
        self._write(self.told, time.time())

    def settle(self) -> None:
        """Runs were looked for: whatever was under way has arrived, if it was long enough ago."""
        if self.late:
            self._write(self.told, None)

    @property
    def late(self) -> bool:
        doubt = self.doubt
        return doubt is not None and time.time() - doubt > LATE_SECONDS

    @property
    def lost(self) -> bool:
        """Was the file of a SQLite store that was told of this study deleted?"""
        return self.told is not None and file_of(self._uri) is not None and identity(self._uri) is None

    def _read(self) -> tuple[str | None, float | None]:
        digest, _, doubt = (self._marks.study_seen(self._id) or "").partition(" ")
        return digest or None, float(doubt) if doubt else None

    def _write(self, told: str | None, doubt: float | None) -> None:
        self._marks.see_study(self._id, (told or "") + (f" {doubt:.0f}" if doubt else ""))
