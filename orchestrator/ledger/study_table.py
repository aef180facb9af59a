"""Keeps the studies, and who runs each: the part of the ledger that knows of no trial."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from orchestrator.ledger.errors import StudyExists, UnknownStudy
from orchestrator.ledger.lease import Lease
from orchestrator.ledger.lease_table import StudyInUse
from orchestrator.ledger.rows import DELETED, MoreTrials, StudyRow, from_json, storable, study_row, to_json
from orchestrator.ledger.table import Table, retried
from orchestrator.ledger.tables import STUDIES, studies
from orchestrator.trial import Objective

LOOK_SECONDS = 0.5  # between two looks at a lease that may be dead


class StudyTable(Table):
    """Keeps the studies; each is written to by the one process that has its lease (`acquire`)."""

    def create_study(
        self, name: str, raw: Mapping[str, Any], objective: Objective, facts: Mapping[str, Any]
    ) -> StudyRow:
        """Makes a new study, not running yet. Raises StudyExists."""
        self._create_study(uuid.uuid4().hex, name, raw, objective, facts)
        return self.study(name)

    @retried
    def _create_study(
        self, uid: str, name: str, raw: Mapping[str, Any], objective: Objective, facts: Mapping[str, Any]
    ) -> None:
        with self._database.write() as connection:
            taken = connection.scalar(sa.select(studies.c.uid).where(studies.c.name == name))
            if taken == uid:  # done before, but the answer was lost
                return
            if taken is not None:
                raise StudyExists(name)
            connection.execute(
                studies.insert().values(
                    uid=uid,
                    name=name,
                    raw=to_json(raw),
                    metric=objective.metric,
                    mode=objective.mode,
                    status="paused",
                    created=self._clock(),
                    facts=to_json(facts),
                )
            )

    @retried
    def study(self, name: str) -> StudyRow:
        """Raises UnknownStudy, with the names that there are."""
        with self._database.read() as connection:
            row = connection.execute(STUDIES.where(studies.c.name == name)).one_or_none()
            if row is None:
                names = connection.execute(sa.select(studies.c.name, studies.c.facts).order_by(studies.c.name)).all()
                known = [each.name for each in names if DELETED not in from_json(each.facts)]
                raise UnknownStudy(name, known, self._database.url)
        return study_row(row)

    @retried
    def study_of(self, study_id: int) -> StudyRow:
        with self._database.read() as connection:
            return study_row(connection.execute(STUDIES.where(studies.c.id == study_id)).one())

    @retried
    def studies(self) -> list[StudyRow]:
        """Returns all studies, oldest first."""
        with self._database.read() as connection:
            return [study_row(row) for row in connection.execute(STUDIES.order_by(studies.c.id))]

    def rename_study(self, name: str, new: str) -> None:
        """Raises UnknownStudy, StudyExists, and StudyInUse while it runs."""
        old = self.study(name).id
        with self._database.write() as connection:
            self._leases.lock(connection, old)
            row = study_row(connection.execute(STUDIES.where(studies.c.id == old)).one())
            if row.lease is not None and row.lease.alive:
                raise StudyInUse(name, row.lease)
            if connection.scalar(sa.select(studies.c.id).where(studies.c.name == new)) is not None:
                raise StudyExists(new)
            connection.execute(studies.update().where(studies.c.id == old).values(name=new))

    @retried
    def update_study(self, study_id: int, **columns: Any) -> None:
        """Replaces what is given of raw, status, reason, facts, mlflow_experiment_id, mlflow_run_id."""
        values = {
            name: to_json(value) if name in ("raw", "facts") else storable(value) for name, value in columns.items()
        }
        with self._database.write() as connection:
            self._leases.lock(connection, study_id)
            connection.execute(studies.update().where(studies.c.id == study_id).values(**values))

    @retried
    def want_more(self, study_id: int, more: MoreTrials | None) -> None:
        """Keeps what `--trials +N` asked for, until it is there (None)."""
        values = {"more_asked": more and more.asked, "more_until": more and more.until}
        with self._database.write() as connection:
            self._leases.lock(connection, study_id)
            connection.execute(studies.update().where(studies.c.id == study_id).values(**values))

    # Who runs a study

    def acquire(self, study_id: int, pid: int, host: str, watch: float = 0.0) -> Lease | None:
        """Takes the study for this process and begins a session; returns the dead lease it was taken from, if any.

        watch: seconds in which the lease of another host that is dead by the clock is watched first, because that clock
        may have been set. Raises StudyInUse while another process that lives holds it: of two at once, one gets it.
        """
        before = self.study_of(study_id)
        until = time.monotonic() + watch
        while before.lease and before.lease.seems_dead_elsewhere and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
            lease = self.study_of(study_id).lease
            if lease is not None and lease.seconds != before.lease.seconds:
                raise StudyInUse(before.name, lease)
        return self._acquire(study_id, pid, host, self._now())

    @retried
    def _acquire(self, study_id: int, pid: int, host: str, now: float) -> Lease | None:
        with self._database.write() as connection:
            session, stale = self._leases.take(connection, study_id, pid, host, now)
        self._leases.taken(study_id, session)
        return stale

    @retried
    def beat(self, study_id: int) -> bool:
        """Writes a heartbeat; returns whether somebody asked for the study to stop.

        Raises LeaseLost when another process took the study over in the meantime.
        """
        with self._database.write(lazy=True) as connection:
            return self._leases.beat(connection, study_id)

    @retried
    def ask_to_stop(self, study_id: int) -> None:
        """Asks the process that runs the study, on whatever host, to pause it."""
        with self._database.write() as connection:
            self._leases.ask_to_stop(connection, study_id)

    @retried
    def release(self, study_id: int, status: str, reason: str | None = None) -> None:
        """Ends the session. A study that another process took over in the meantime is left to it."""
        with self._database.write() as connection:
            self._leases.give_back(connection, study_id, status, reason)
        self._leases.given_back(study_id)

    # Inside

    @retried
    def _now(self) -> float:
        with self._database.read() as connection:
            return self._leases.now(connection)
