"""What happened: studies, trials, states, attempts, and every report. The only truth; the rest follows from it."""

from __future__ import annotations

import gc
import hashlib
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from orchestrator.ledger.database import Database, LedgerError
from orchestrator.ledger.holder import Holder, process_start
from orchestrator.ledger.marks import Marks
from orchestrator.ledger.rows import (
    ROWS_AT_ONCE,
    Attempt,
    StudyRow,
    from_json,
    history,
    metrics_json,
    reports_by_trial,
    storable,
    study_row,
    to_json,
    trial_of,
)
from orchestrator.ledger.tables import (
    ATTEMPTS,
    HISTORY,
    NEXT_REVISION,
    REPORTS,
    STUDIES,
    TRIALS,
    attempts,
    keep_report,
    reports,
    sessions,
    studies,
    trials,
)
from orchestrator.space.search_space import config_key
from orchestrator.trial import Objective, Report, State, Trial


class UnknownStudy(LedgerError):
    def __init__(self, name: str, known: Sequence[str]) -> None:
        known_ones = f"Known studies: {', '.join(known)}. Try `tune list`."
        super().__init__(f"No study named {name!r}. {known_ones if known else 'There is none yet. Try `tune run`.'}")


class StudyExists(LedgerError):
    def __init__(self, name: str) -> None:
        super().__init__(f"A study named {name!r} exists already; choose another --name.")


class StudyHeld(LedgerError):
    """Another living process runs the study."""

    def __init__(self, name: str, holder: Holder) -> None:
        super().__init__(
            f"Study {name!r} is run by {holder}; wait for it, or stop it there with: kill -INT {holder.pid}"
        )
        self.holder = holder


class DuplicateConfig(LedgerError):
    """The study has a trial of this config and seed already."""

    def __init__(self, number: int) -> None:
        super().__init__(f"trial {number} has this config and seed already")
        self.number = number


class Ledger:
    """The database of all studies of one home. Safe from several threads and processes.

    A study is written to by the one process that holds it (`acquire`). Every method is one transaction, and raises
    LedgerError when the database cannot be used.
    """

    def __init__(self, url: str | Path) -> None:
        """url: a file, made with its folder if absent, or postgresql://USER:PASSWORD@HOST/DATABASE."""
        self.url = url
        self._database = Database(url)
        self.marks = Marks(self._database)  # what MLflow has of it
        self._keep_report = keep_report(self._database.dialect)
        self._held: dict[int, int] = {}  # study id -> our session

    def close(self) -> None:
        self._database.close()

    # Studies

    def create_study(
        self, name: str, raw: Mapping[str, Any], objective: Objective, facts: Mapping[str, Any]
    ) -> StudyRow:
        """A new study, not running yet. Raises StudyExists."""
        with self._database.write() as connection:
            if connection.scalar(sa.select(studies.c.id).where(studies.c.name == name)) is not None:
                raise StudyExists(name)
            connection.execute(
                studies.insert().values(
                    uid=uuid.uuid4().hex,
                    name=name,
                    raw=to_json(raw),
                    metric=objective.metric,
                    mode=objective.mode,
                    status="paused",
                    created=time.time(),
                    facts=to_json(facts),
                )
            )
        return self.study(name)

    def study(self, name: str) -> StudyRow:
        """Raises UnknownStudy, with the names that there are."""
        with self._database.read() as connection:
            row = connection.execute(STUDIES.where(studies.c.name == name)).one_or_none()
            if row is None:
                raise UnknownStudy(name, connection.scalars(sa.select(studies.c.name).order_by(studies.c.name)).all())
        return study_row(row)

    def study_of(self, study_id: int) -> StudyRow:
        with self._database.read() as connection:
            return study_row(connection.execute(STUDIES.where(studies.c.id == study_id)).one())

    def studies(self) -> list[StudyRow]:
        """All studies, oldest first."""
        with self._database.read() as connection:
            return [study_row(row) for row in connection.execute(STUDIES.order_by(studies.c.id))]

    def rename_study(self, name: str, new: str) -> None:
        """Raises UnknownStudy, StudyExists, and StudyHeld while it runs."""
        old = self.study(name).id
        with self._database.write() as connection:
            self._lock(connection, old)
            row = study_row(connection.execute(STUDIES.where(studies.c.id == old)).one())
            if row.holder is not None and row.holder.alive:
                raise StudyHeld(name, row.holder)
            if connection.scalar(sa.select(studies.c.id).where(studies.c.name == new)) is not None:
                raise StudyExists(new)
            connection.execute(studies.update().where(studies.c.id == old).values(name=new))

    def update_study(self, study_id: int, **columns: Any) -> None:
        """columns: raw, status, reason, facts, mlflow_experiment_id, mlflow_run_id. What is given replaces what was."""
        values = {
            name: to_json(value) if name in ("raw", "facts") else storable(value) for name, value in columns.items()
        }
        with self._database.write() as connection:
            connection.execute(studies.update().where(studies.c.id == study_id).values(**values))

    # Who runs a study

    def acquire(self, study_id: int, pid: int, host: str) -> Holder | None:
        """Take the study for this process and begin a session; returns the dead holder it was taken from, if any.

        Raises StudyHeld while another process that lives holds it: of two at once, one gets it.
        """
        now = time.time()
        with self._database.write() as connection:
            self._lock(connection, study_id)
            row = study_row(connection.execute(STUDIES.where(studies.c.id == study_id)).one())
            if row.holder is not None:
                if row.holder.alive:
                    raise StudyHeld(row.name, row.holder)
                _end_what_died(connection, study_id)
            session = connection.execute(
                sessions.insert()
                .values(study_id=study_id, pid=pid, host=host, process_start=process_start(pid), started=now, beat=now)
                .returning(sessions.c.id)
            ).scalar_one()
            connection.execute(
                studies.update()
                .where(studies.c.id == study_id)
                .values(session_id=session, status="running", reason=None)
            )
        self._held[study_id] = session
        return row.holder

    def beat(self, study_id: int) -> None:
        """A sign of life. Raises StudyHeld when another process took the study over in the meantime."""
        session = self._held[study_id]
        with self._database.write(lazy=True) as connection:
            connection.execute(
                sessions.update()
                .where(sessions.c.id == session, sessions.c.beat < time.time())
                .values(beat=time.time())
            )
            row = connection.execute(
                STUDIES.where(studies.c.id == study_id, studies.c.session_id != session)
            ).one_or_none()
        if row is not None:
            lost = study_row(row)
            assert lost.holder is not None
            raise StudyHeld(lost.name, lost.holder)

    def release(self, study_id: int, status: str, reason: str | None = None) -> None:
        """End the session. A study that another process took over in the meantime is left to it."""
        session, now = self._held.pop(study_id), time.time()
        with self._database.write() as connection:
            connection.execute(
                sessions.update()
                .where(sessions.c.id == session, sessions.c.ended.is_(None))
                .values(beat=sa.case((sessions.c.beat > now, sessions.c.beat), else_=now), ended=now, end_reason=status)
            )
            connection.execute(
                studies.update()
                .where(studies.c.id == study_id, studies.c.session_id == session)
                .values(session_id=None, status=status, reason=storable(reason))
            )

    # Trials

    def add_trial(
        self, study_id: int, config: Mapping[str, Any], *, baseline: str | None = None, seed: int = 0
    ) -> Trial:
        """A new trial, running its first attempt. Raises DuplicateConfig if its config and seed were tried already."""
        now, digest, text = time.time(), hashlib.sha256(config_key(config).encode()).hexdigest(), to_json(config)
        with self._database.write() as connection:
            self._lock(connection, study_id)
            same = (trials.c.study_id == study_id, trials.c.config_digest == digest, trials.c.seed == seed)
            known = connection.scalar(sa.select(trials.c.number).where(*same))
            if known is not None:
                raise DuplicateConfig(known)
            last = connection.scalar(sa.select(sa.func.max(trials.c.number)).where(trials.c.study_id == study_id)) or 0
            trial_id = connection.execute(
                trials.insert()
                .values(
                    study_id=study_id,
                    number=last + 1,
                    config=text,
                    config_digest=digest,
                    baseline=baseline,
                    seed=seed,
                    state=State.RUNNING.value,
                    facts="{}",
                    attempts=1,
                    created=now,
                    revision=1,
                    mlflow_unsure=0,
                    mlflow_revision=0,
                )
                .returning(trials.c.id)
            ).scalar_one()
            connection.execute(attempts.insert().values(trial_id=trial_id, number=1, from_epoch=0, started=now))
        return Trial(last + 1, from_json(text), baseline=baseline, seed=seed, created=now)  # as a later start reads it

    def start_attempt(self, study_id: int, number: int) -> int:
        """The trial runs again, from its newest checkpoint that counts. Returns the attempt's number, from 1."""
        now = time.time()
        with self._database.write() as connection:
            trial_id = self._change(
                connection,
                study_id,
                number,
                state=State.RUNNING.value,
                reason=None,
                ended=None,
                attempts=trials.c.attempts + 1,
            )
            _end_attempts(connection, [trial_id], "interrupted", now)
            attempt = connection.scalar(sa.select(trials.c.attempts).where(trials.c.id == trial_id))
            saved = sa.select(sa.func.coalesce(sa.func.max(reports.c.epoch), 0)).where(
                reports.c.trial_id == trial_id, reports.c.checkpoint == 1
            )
            connection.execute(
                attempts.insert().values(
                    trial_id=trial_id, number=attempt, from_epoch=connection.scalar(saved), started=now
                )
            )
        assert attempt is not None
        return attempt

    def record(self, study_id: int, number: int, report: Report) -> None:
        """Keep a report. Of a repeated epoch the later report counts, in the place of the earlier."""
        metrics = metrics_json(report.metrics)
        # A checkpoint counts, and the one before it goes, by this report: lost with the power, neither would be left.
        # Without a checkpoint nothing follows from it that is not repeated with its epoch.
        with self._database.write(lazy=not report.checkpoint) as connection:
            bumped = connection.execute(NEXT_REVISION, {"study": study_id, "trial": number}).one_or_none()
            if bumped is None:
                raise LedgerError(f"{self._database.shown}: study {study_id} has no trial {number}")
            connection.execute(
                self._keep_report,
                {
                    "trial_id": bumped.id,
                    "epoch": report.epoch,
                    "metrics": metrics,
                    "seconds": report.seconds,
                    "at": report.at,
                    "checkpoint": int(report.checkpoint),
                    "revision": bumped.revision,
                },
            )

    def finish(
        self, study_id: int, number: int, state: State, reason: str | None = None, error: str | None = None
    ) -> None:
        """The running attempt came to its end. state: any but running. error: a traceback."""
        now = time.time()
        with self._database.write() as connection:
            trial_id = self._change(
                connection,
                study_id,
                number,
                state=State(state).value,
                reason=storable(reason),
                error=storable(error),
                ended=now if State(state).final else None,
            )
            _end_attempts(connection, [trial_id], State(state).value, now)

    def set_test(self, study_id: int, number: int, metrics: Mapping[str, float]) -> None:
        with self._database.write() as connection:
            self._change(connection, study_id, number, test=metrics_json(metrics))

    def set_facts(self, study_id: int, number: int, facts: Mapping[str, Any]) -> None:
        with self._database.write() as connection:
            self._change(connection, study_id, number, facts=to_json(facts))

    def trial(self, study_id: int, number: int) -> Trial:
        """Raises LedgerError if there is none of this number."""
        found = self._trials(trials.c.study_id == study_id, trials.c.number == number, with_reports=True)
        if not found:
            raise LedgerError(f"{self._database.shown}: study {study_id} has no trial {number}")
        return found[0]

    def trials(self, study_id: int, reports: bool = True) -> list[Trial]:
        """All trials by number; without their reports if those are not asked for."""
        return self._trials(trials.c.study_id == study_id, with_reports=reports)

    def attempts(self, study_id: int, number: int) -> list[Attempt]:
        with self._database.read() as connection:
            rows = connection.execute(ATTEMPTS.where(trials.c.study_id == study_id, trials.c.number == number))
            return [Attempt(*row) for row in rows]

    def history(self, study_id: int, after: int = 0) -> list[tuple[int, int, Report]]:
        """(sequence, trial number, report) of all reports past sequence `after`, in the order they first arrived."""
        query = HISTORY.where(trials.c.study_id == study_id, reports.c.sequence > after)
        with self._database.read() as connection, _uncollected():
            return history(connection.execute(query).partitions(ROWS_AT_ONCE))

    # Inside

    def _lock(self, connection: sa.Connection, study_id: int) -> None:
        """Only one transaction at a time past this point; SQLite's writers are alone already."""
        if connection.scalar(sa.select(studies.c.id).where(studies.c.id == study_id).with_for_update()) is None:
            raise LedgerError(f"{self._database.shown}: has no study {study_id}")

    def _change(self, connection: sa.Connection, study_id: int, number: int, **values: Any) -> int:
        """Update a trial; returns its row's id."""
        row = connection.execute(
            trials.update()
            .where(trials.c.study_id == study_id, trials.c.number == number)
            .values(revision=trials.c.revision + 1, **values)
            .returning(trials.c.id)
        ).one_or_none()
        if row is None:
            raise LedgerError(f"{self._database.shown}: study {study_id} has no trial {number}")
        return row.id

    def _trials(self, *wanted: sa.ColumnElement[bool], with_reports: bool) -> list[Trial]:
        with self._database.read() as connection, _uncollected():
            rows = connection.execute(TRIALS.where(*wanted)).all()
            parts = connection.execute(REPORTS.where(*wanted)).partitions(ROWS_AT_ONCE) if with_reports else ()
            found = reports_by_trial(parts)
            return [trial_of(row, tuple(found.get(row.number, ()))) for row in rows]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Half a million new objects, none of them garbage: looking for it meanwhile doubles the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _end_attempts(connection: sa.Connection, trial_ids: Sequence[int] | sa.Select[Any], outcome: str, at: Any) -> None:
    connection.execute(
        attempts.update()
        .where(attempts.c.trial_id.in_(trial_ids), attempts.c.ended.is_(None))
        .values(outcome=outcome, ended=at)
    )


def _end_what_died(connection: sa.Connection, study_id: int) -> None:
    """A holder is dead: its session and its attempts ended, as far as is known, with its last sign of life."""
    open_sessions = (sessions.c.study_id == study_id, sessions.c.ended.is_(None))
    last = connection.scalar(sa.select(sa.func.max(sessions.c.beat)).where(*open_sessions))
    ours = sa.select(trials.c.id).where(trials.c.study_id == study_id)
    _end_attempts(connection, ours, "interrupted", last)
    connection.execute(sessions.update().where(*open_sessions).values(ended=sessions.c.beat, end_reason="interrupted"))
