"""Knows what MLflow has seen of each study and trial, so that one sender at a time can send what it lacks."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from orchestrator.ledger.database import Database
from orchestrator.ledger.lease import Lease, process_start
from orchestrator.ledger.rows import ROWS_AT_ONCE, failures_by_trial, from_json, reports_by_trial, to_json, trial_of
from orchestrator.ledger.tables import FAILURES, REPORTS, TRIALS, reports, studies, trials, unix_now
from orchestrator.trial import Report, State, Trial


@dataclass(frozen=True, slots=True)
class Behind:
    """Holds a trial of which MLflow lacks something.

    trial: without its reports. unsure: MLflow may have a run of it whose id was never kept. unseen: the reports that
    MLflow lacks, by epoch. status: MLflow's, as last sent; None before the first. revision: to be marked as seen once
    MLflow has all of this.
    """

    trial: Trial
    unsure: bool
    unseen: tuple[Report, ...]
    status: str | None
    revision: int


class Marks:
    """Compares revisions: every write to a trial raises its own; MLflow is behind while it has seen a lower one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._token = uuid.uuid4().hex

    def begin(self, study_id: int) -> Lease | None:
        """Becomes the study's only sender, or goes on as such. Returns the living sender that is it already, if any."""
        with self._database.write() as connection:
            text = connection.scalar(
                sa.select(studies.c.mlflow_sender).where(studies.c.id == study_id).with_for_update()
            )
            now = connection.scalar(sa.select(unix_now())) or 0.0
            me = Lease(os.getpid(), socket.gethostname(), now, now, process_start(os.getpid()), now=now)
            token, other = (None, None) if text is None else _sender(text, now)
            if other is not None and token != self._token and other.alive:
                return other
            sender = to_json({"token": self._token} | asdict(me))
            connection.execute(studies.update().where(studies.c.id == study_id).values(mlflow_sender=sender))
        return None

    def end(self, study_id: int) -> None:
        with self._database.write(lazy=True) as connection:
            text = connection.scalar(
                sa.select(studies.c.mlflow_sender).where(studies.c.id == study_id).with_for_update()
            )
            if text is not None and from_json(text)["token"] == self._token:
                connection.execute(studies.update().where(studies.c.id == study_id).values(mlflow_sender=None))

    def enter(self, study_id: int, store: str, *, afresh: bool = False) -> None:
        """Begins with the store of this digest. What was known of another one is forgotten.

        afresh: what was known of this one, too: all is to be compared and sent again.
        """
        with self._database.write() as connection:
            known = connection.scalar(sa.select(studies.c.mlflow_store).where(studies.c.id == study_id))
            if known == store and not afresh:
                return
            ids = {"mlflow_experiment_id": None, "mlflow_run_id": None} if known != store else {}
            ids["mlflow_seen"] = None
            nothing = {"mlflow_run_id": None, "mlflow_unsure": 1, "mlflow_revision": 0, "mlflow_status": None}
            connection.execute(studies.update().where(studies.c.id == study_id).values(mlflow_store=store, **ids))
            connection.execute(trials.update().where(trials.c.study_id == study_id).values(**nothing))

    def become_another(self, study_id: int) -> None:
        """Gives a study of a copied ledger a uid of its own; nothing of it is in MLflow then."""
        nothing = {"mlflow_run_id": None, "mlflow_unsure": 0, "mlflow_revision": 0, "mlflow_status": None}
        ids = {"mlflow_experiment_id": None, "mlflow_run_id": None, "mlflow_seen": None, "mlflow_sender": None}
        with self._database.write() as connection:
            connection.execute(studies.update().where(studies.c.id == study_id).values(uid=uuid.uuid4().hex, **ids))
            connection.execute(trials.update().where(trials.c.study_id == study_id).values(**nothing))

    def behind(self, study_id: int, statuses: dict[State, str]) -> list[Behind]:
        """Returns them by number. statuses: MLflow's word for each state; a trial under another word is behind, too."""
        seen = trials.c.mlflow_revision
        other_word = [
            sa.and_(trials.c.state == state.value, trials.c.mlflow_status != word) for state, word in statuses.items()
        ]
        wanted = (trials.c.study_id == study_id, sa.or_(trials.c.revision > seen, *other_word))
        marks = (trials.c.revision, trials.c.mlflow_status, trials.c.mlflow_unsure)
        with self._database.read() as connection:
            rows = connection.execute(TRIALS.add_columns(*marks).where(*wanted)).all()
            unseen = connection.execute(REPORTS.where(*wanted, reports.c.revision > seen))
            found = reports_by_trial(unseen.partitions(ROWS_AT_ONCE))
            failed = failures_by_trial(connection.execute(FAILURES.where(*wanted)))
        return [
            Behind(
                trial_of(row, failures=failed.get(row.number, ())),
                row.mlflow_unsure == 1,
                tuple(found.get(row.number, ())),
                row.mlflow_status,
                row.revision,
            )
            for row in rows
        ]

    def study_seen(self, study_id: int) -> str | None:
        """Keeps the digest of what the study's own run was last told."""
        with self._database.read() as connection:
            return connection.scalar(sa.select(studies.c.mlflow_seen).where(studies.c.id == study_id))

    def see_study(self, study_id: int, digest: str) -> None:
        with self._database.write(lazy=True) as connection:
            connection.execute(studies.update().where(studies.c.id == study_id).values(mlflow_seen=digest))

    def expect_run(self, study_id: int, number: int) -> None:
        """Notes that a run of the trial is about to be made: MLflow may now have one whose id is not known here."""
        self._set(study_id, number, lazy=False, mlflow_unsure=1)

    def known_run(self, study_id: int, number: int, run_id: str | None) -> None:
        """Notes the trial's run in MLflow, None when it is gone. Nothing is known of what it holds."""
        nothing: dict[str, Any] = {"mlflow_revision": 0, "mlflow_status": None}
        self._set(study_id, number, mlflow_run_id=run_id, mlflow_unsure=int(run_id is None), **nothing)

    def seen(self, study_id: int, number: int, revision: int, status: str) -> None:
        self._set(study_id, number, mlflow_revision=revision, mlflow_status=status)

    def _set(self, study_id: int, number: int, *, lazy: bool = True, **values: Any) -> None:
        """Notes what was sent. lazy: what is lost with the power is sent again, and is the same."""
        one = (trials.c.study_id == study_id, trials.c.number == number)
        with self._database.write(lazy=lazy) as connection:
            connection.execute(trials.update().where(*one).values(**values))


def _sender(text: str, now: float) -> tuple[str, Lease]:
    fields = from_json(text)
    return fields.pop("token"), Lease(**fields | {"now": now})
