"""What MLflow has seen of each study and trial, so that what it lacks can be sent, and nothing twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from orchestrator.ledger_database import Database
from orchestrator.ledger_rows import reports_by_trial, trial_of
from orchestrator.ledger_tables import REPORTS, TRIALS, reports, studies, trials
from orchestrator.trial import Report, State, Trial


@dataclass(frozen=True, slots=True)
class Behind:
    """A trial of which MLflow lacks something.

    trial: without its reports. unseen: those that MLflow lacks, by epoch. status: MLflow's, as last sent; None before
    the first. revision: to be marked as seen once MLflow has all of this.
    """

    trial: Trial
    unseen: tuple[Report, ...]
    status: str | None
    revision: int


class Marks:
    """Every write to a trial raises its revision; MLflow is behind while it has seen a lower one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, study_id: int, store: str) -> None:
        """What follows is about the store of this digest; what was known of another is forgotten."""
        with self._database.write() as connection:
            if connection.scalar(sa.select(studies.c.mlflow_store).where(studies.c.id == study_id)) != store:
                _forget(connection, study_id, store)

    def forget(self, study_id: int) -> None:
        """All of the study is to be sent again."""
        with self._database.write() as connection:
            _forget(connection, study_id, None)

    def behind(self, study_id: int, statuses: dict[State, str]) -> list[Behind]:
        """By number. statuses: MLflow's word for each state; a trial under another word than that is behind, too."""
        elsewise = [
            sa.and_(trials.c.state == state.value, trials.c.mlflow_status != s) for state, s in statuses.items()
        ]
        wanted = (trials.c.study_id == study_id, sa.or_(trials.c.revision > trials.c.mlflow_revision, *elsewise))
        unseen = REPORTS.where(*wanted, reports.c.revision > trials.c.mlflow_revision)
        with self._database.read() as connection:
            rows = connection.execute(
                TRIALS.add_columns(trials.c.revision, trials.c.mlflow_status).where(*wanted)
            ).all()
            found = reports_by_trial(connection.execute(unseen).fetchall())
        return [
            Behind(trial_of(row), tuple(found.get(row.number, ())), row.mlflow_status, row.revision) for row in rows
        ]

    def known_run(self, study_id: int, number: int, run_id: str) -> None:
        """The trial's run in MLflow; nothing is known of what it holds."""
        self._set(study_id, number, mlflow_run_id=run_id, mlflow_revision=0, mlflow_status=None)

    def seen(self, study_id: int, number: int, revision: int, status: str) -> None:
        self._set(study_id, number, mlflow_revision=revision, mlflow_status=status)

    def _set(self, study_id: int, number: int, **values: Any) -> None:
        one = (trials.c.study_id == study_id, trials.c.number == number)
        with self._database.write(lazy=True) as connection:  # what is sent again is the same
            connection.execute(trials.update().where(*one).values(**values))


def _forget(connection: sa.Connection, study_id: int, store: str | None) -> None:
    nothing: dict[str, Any] = {"mlflow_run_id": None, "mlflow_revision": 0, "mlflow_status": None}
    connection.execute(trials.update().where(trials.c.study_id == study_id).values(**nothing))
    connection.execute(
        studies.update()
        .where(studies.c.id == study_id)
        .values(mlflow_store=store, mlflow_experiment_id=None, mlflow_run_id=None)
    )
