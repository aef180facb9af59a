"""What happened: studies, trials, states, attempts, and every report. The only truth; the rest follows from it."""

from __future__ import annotations

import gc
import hashlib
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator import ledger_tables
from orchestrator.holder import Holder, process_start
from orchestrator.ledger_tables import (
    LedgerError,
    attempts,
    from_json,
    reports,
    sessions,
    storable,
    studies,
    to_json,
    trials,
)
from orchestrator.search_space import config_key
from orchestrator.trial import Objective, Report, State, Trial

__all__ = [
    "Attempt",
    "DuplicateConfig",
    "Holder",
    "Ledger",
    "LedgerError",
    "StudyExists",
    "StudyHeld",
    "StudyRow",
    "UnknownStudy",
]


class UnknownStudy(LedgerError):
    def __init__(self, name: str, known: Sequence[str]) -> None:
        there_are = (
            f"Known studies: {', '.join(known)}. Try `tune list`." if known else "There are none yet. Try `tune run`."
        )
        super().__init__(f"No study named {name!r}. {there_are}")


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


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One study. raw: its resolved file. uid: survives renames. seconds: wall time of all its sessions."""

    id: int
    uid: str
    name: str
    raw: dict[str, Any]
    objective: Objective
    status: str  # running, paused, finished, interrupted (also: held by a process that is gone), failed
    reason: str | None
    created: float  # unix time
    facts: dict[str, Any]
    seconds: float
    holder: Holder | None  # None when nobody runs it; a dead one until the next start
    mlflow_uri: str | None  # a digest of the store in which the next two count
    mlflow_experiment_id: str | None
    mlflow_run_id: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One go at a trial. from_epoch: of the checkpoint that it began with; 0 without one. Times are unix times."""

    number: int
    from_epoch: int
    started: float
    ended: float | None
    outcome: str | None  # a state other than running, or "interrupted" when its driver died; None while it runs


@dataclass(frozen=True, slots=True)
class Projection:
    """How far MLflow is behind for one trial. reports: those that it has not seen."""

    trial: Trial  # without its reports
    reports: tuple[Report, ...]
    revision: int  # to be given back to set_mlflow once all of this is there
    mlflow_status: str | None


class Ledger:
    """The database of all studies of one home. Safe from several threads and processes.

    A study is written to by the one process that holds it (`acquire`). Every method is one transaction, and raises
    LedgerError when the database cannot be used.
    """

    def __init__(self, url: str | Path) -> None:
        """url: a file, made with its folder if absent, or postgresql://USER:PASSWORD@HOST/DATABASE."""
        self.url = url
        self._engine, self._shown = ledger_tables.open_database(url)
        self._writer = self._engine.execution_options(write=True)
        self._upsert_report = _upsert_report(self._engine.dialect.name)
        self._held: dict[int, int] = {}  # study id -> our session

    def close(self) -> None:
        self._engine.dispose()

    # Studies

    def create_study(
        self, name: str, raw: Mapping[str, Any], objective: Objective, facts: Mapping[str, Any]
    ) -> StudyRow:
        """A new study, not running yet. Raises StudyExists."""
        with self._write() as connection:
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
        with self._read() as connection:
            row = connection.execute(_STUDIES.where(studies.c.name == name)).one_or_none()
            if row is None:
                raise UnknownStudy(name, connection.scalars(sa.select(studies.c.name).order_by(studies.c.name)).all())
        return _study_row(row)

    def study_of(self, study_id: int) -> StudyRow:
        with self._read() as connection:
            return _study_row(connection.execute(_STUDIES.where(studies.c.id == study_id)).one())

    def studies(self) -> list[StudyRow]:
        """All studies, oldest first."""
        with self._read() as connection:
            return [_study_row(row) for row in connection.execute(_STUDIES.order_by(studies.c.id))]

    def rename_study(self, name: str, new: str) -> None:
        """Raises UnknownStudy, StudyExists, and StudyHeld while it runs."""
        row = self.study(name)
        if row.holder is not None and row.holder.alive:
            raise StudyHeld(name, row.holder)
        with self._write() as connection:
            if connection.scalar(sa.select(studies.c.id).where(studies.c.name == new)) is not None:
                raise StudyExists(new)
            connection.execute(studies.update().where(studies.c.id == row.id).values(name=new))

    def update_study(self, study_id: int, **columns: Any) -> None:
        """columns: raw, status, reason, facts, mlflow_experiment_id, mlflow_run_id. What is given replaces what was."""
        values = {name: to_json(value) if name in ("raw", "facts") else value for name, value in columns.items()}
        with self._write() as connection:
            connection.execute(studies.update().where(studies.c.id == study_id).values(**values))

    # Who runs a study

    def acquire(self, study_id: int, pid: int, host: str) -> Holder | None:
        """Take the study for this process and begin a session; returns the dead holder it was taken from, if any.

        Raises StudyHeld while another process that lives holds it: of two at once, one gets it.
        """
        now = time.time()
        with self._write() as connection:
            self._lock(connection, study_id)
            row = _study_row(connection.execute(_STUDIES.where(studies.c.id == study_id)).one())
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
        with self._write() as connection:
            connection.execute(
                sessions.update()
                .where(sessions.c.id == session, sessions.c.beat < time.time())
                .values(beat=time.time())
            )
            row = connection.execute(
                _STUDIES.where(studies.c.id == study_id, studies.c.session_id != session)
            ).one_or_none()
        if row is not None:
            lost = _study_row(row)
            assert lost.holder is not None
            raise StudyHeld(lost.name, lost.holder)

    def release(self, study_id: int, status: str, reason: str | None = None) -> None:
        """End the session. A study that another process took over in the meantime is left to it."""
        session, now = self._held.pop(study_id), time.time()
        with self._write() as connection:
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
        with self._write() as connection:
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
                    mlflow_revision=0,
                )
                .returning(trials.c.id)
            ).scalar_one()
            connection.execute(attempts.insert().values(trial_id=trial_id, number=1, from_epoch=0, started=now))
        return Trial(last + 1, from_json(text), baseline=baseline, seed=seed, created=now)  # as a later start reads it

    def start_attempt(self, study_id: int, number: int) -> int:
        """The trial runs again, from its newest checkpoint that counts. Returns the attempt's number, from 1."""
        now = time.time()
        with self._write() as connection:
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
        metrics = _metrics_json(report.metrics)
        with self._write() as connection:
            bumped = connection.execute(_BUMP, {"study": study_id, "trial": number}).one_or_none()
            if bumped is None:
                raise LedgerError(f"{self._shown}: study {study_id} has no trial {number}")
            connection.execute(
                self._upsert_report,
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
        with self._write() as connection:
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
        with self._write() as connection:
            self._change(connection, study_id, number, test=_metrics_json(metrics))

    def set_facts(self, study_id: int, number: int, facts: Mapping[str, Any]) -> None:
        with self._write() as connection:
            self._change(connection, study_id, number, facts=to_json(facts))

    def trial(self, study_id: int, number: int) -> Trial:
        """Raises LedgerError if there is none of this number."""
        found = self._trials(trials.c.study_id == study_id, trials.c.number == number, with_reports=True)
        if not found:
            raise LedgerError(f"{self._shown}: study {study_id} has no trial {number}")
        return found[0]

    def trials(self, study_id: int, reports: bool = True) -> list[Trial]:
        """All trials by number; without their reports if those are not asked for."""
        return self._trials(trials.c.study_id == study_id, with_reports=reports)

    def attempts(self, study_id: int, number: int) -> list[Attempt]:
        with self._read() as connection:
            rows = connection.execute(_ATTEMPTS.where(trials.c.study_id == study_id, trials.c.number == number))
            return [Attempt(*row) for row in rows]

    def history(self, study_id: int, after: int = 0) -> list[tuple[int, int, Report]]:
        """(sequence, trial number, report) of all reports past sequence `after`, in the order they first arrived."""
        query = _HISTORY.where(trials.c.study_id == study_id, reports.c.sequence > after)
        with self._read() as connection, _uncollected():
            rows = connection.execute(query).fetchall()
            return [(row[0], row[1], report) for row, report in zip(rows, _reports(rows, first=2), strict=True)]

    # What MLflow has of it

    def point_mlflow(self, study_id: int, store: str) -> None:
        """store: a digest of the tracking store. The ids of another store than before are forgotten."""
        with self._write() as connection:
            elsewhere = sa.or_(studies.c.mlflow_uri.is_(None), studies.c.mlflow_uri != store)
            changed = connection.execute(
                studies.update()
                .where(studies.c.id == study_id, elsewhere)
                .values(mlflow_uri=store)
                .returning(studies.c.id)
            ).first()
            if changed is not None:
                _forget_mlflow(connection, study_id)

    def forget_mlflow(self, study_id: int) -> None:
        """All that the ledger believes MLflow to have of a study is to be sent again."""
        with self._write() as connection:
            _forget_mlflow(connection, study_id)

    def behind(self, study_id: int, *, running: bool) -> list[Projection]:
        """The trials of which MLflow lacks something, by number, each with the reports it lacks.

        running: does the study run? Its running trials are shown as waiting when it does not.
        """
        status = "RUNNING" if running else "SCHEDULED"
        stale = sa.and_(trials.c.state == State.RUNNING.value, trials.c.mlflow_status != status)
        wanted = (trials.c.study_id == study_id, sa.or_(trials.c.revision > trials.c.mlflow_revision, stale))
        unseen = _REPORTS.where(*wanted, reports.c.revision > trials.c.mlflow_revision)
        with self._read() as connection, _uncollected():
            rows = connection.execute(
                _TRIALS.add_columns(trials.c.revision, trials.c.mlflow_status).where(*wanted)
            ).all()
            found = _reports_by_trial(connection.execute(unseen).fetchall())
        return [
            Projection(_trial(row), tuple(found.get(row.number, ())), row.revision, row.mlflow_status) for row in rows
        ]

    def set_mlflow(
        self,
        study_id: int,
        number: int,
        *,
        run_id: str | None = None,
        revision: int | None = None,
        status: str | None = None,
    ) -> None:
        """What MLflow has of a trial now; None leaves it as it was known."""
        given = {"mlflow_run_id": run_id, "mlflow_revision": revision, "mlflow_status": status}
        values = {name: value for name, value in given.items() if value is not None}
        with self._write() as connection:
            connection.execute(
                trials.update().where(trials.c.study_id == study_id, trials.c.number == number).values(**values)
            )

    # Inside

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        """A transaction that sees the ledger as it is now, whatever others write meanwhile."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise ledger_tables.explained(error, self._shown) from error

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        try:
            with self._writer.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise ledger_tables.explained(error, self._shown) from error

    def _lock(self, connection: sa.Connection, study_id: int) -> None:
        """Only one transaction at a time past this point; SQLite's writers are alone already."""
        if connection.scalar(sa.select(studies.c.id).where(studies.c.id == study_id).with_for_update()) is None:
            raise LedgerError(f"{self._shown}: has no study {study_id}")

    def _change(self, connection: sa.Connection, study_id: int, number: int, **values: Any) -> int:
        """Update a trial; returns its row's id."""
        row = connection.execute(
            trials.update()
            .where(trials.c.study_id == study_id, trials.c.number == number)
            .values(revision=trials.c.revision + 1, **values)
            .returning(trials.c.id)
        ).one_or_none()
        if row is None:
            raise LedgerError(f"{self._shown}: study {study_id} has no trial {number}")
        return row.id

    def _trials(self, *wanted: sa.ColumnElement[bool], with_reports: bool) -> list[Trial]:
        with self._read() as connection, _uncollected():
            rows = connection.execute(_TRIALS.where(*wanted)).all()
            found = _reports_by_trial(connection.execute(_REPORTS.where(*wanted)).fetchall()) if with_reports else {}
        return [_trial(row, tuple(found.get(row.number, ()))) for row in rows]


# Statements and rows

_SECONDS = (
    sa.select(
        sessions.c.study_id,
        sa.func.sum(sa.func.coalesce(sessions.c.ended, sessions.c.beat) - sessions.c.started).label("seconds"),
    )
    .group_by(sessions.c.study_id)
    .subquery()
)
_STUDIES = (
    sa.select(
        studies,
        sessions.c.pid,
        sessions.c.host,
        sessions.c.started,
        sessions.c.beat,
        sessions.c.process_start,
        _SECONDS.c.seconds,
    )
    .outerjoin(sessions, sessions.c.id == studies.c.session_id)
    .outerjoin(_SECONDS, _SECONDS.c.study_id == studies.c.id)
)
_TRIALS = sa.select(
    *(
        trials.c[n]
        for n in ("number", "config", "state", "reason", "error", "baseline", "seed", "test", "mlflow_run_id")
    ),
    *(trials.c[n] for n in ("attempts", "created", "ended", "facts")),
).order_by(trials.c.number)
_REPORT = [reports.c[name] for name in ("epoch", "metrics", "seconds", "at", "checkpoint")]
_REPORTS = sa.select(trials.c.number, *_REPORT).join(trials).order_by(trials.c.number, reports.c.epoch)
_HISTORY = sa.select(reports.c.sequence, trials.c.number, *_REPORT).join(trials).order_by(reports.c.sequence)
_ATTEMPTS = (
    sa.select(*(attempts.c[n] for n in ("number", "from_epoch", "started", "ended", "outcome")))
    .join(trials)
    .order_by(attempts.c.number)
)
_BUMP = (
    trials.update()
    .where(trials.c.study_id == sa.bindparam("study"), trials.c.number == sa.bindparam("trial"))
    .values(revision=trials.c.revision + 1)
    .returning(trials.c.id, trials.c.revision)
)


def _upsert_report(dialect: str) -> Any:
    statement = sqlite.insert(reports) if dialect == "sqlite" else postgresql.insert(reports)
    replaced = {name: statement.excluded[name] for name in ("metrics", "seconds", "at", "checkpoint", "revision")}
    return statement.on_conflict_do_update(index_elements=["trial_id", "epoch"], set_=replaced)


def _study_row(row: sa.Row[Any]) -> StudyRow:
    holder = None
    if row.session_id is not None:
        holder = Holder(row.pid, row.host, row.started, row.beat, row.process_start)
    died = holder is not None and not holder.alive
    return StudyRow(
        id=row.id,
        uid=row.uid,
        name=row.name,
        raw=from_json(row.raw),
        objective=Objective(row.metric, row.mode),
        status="interrupted" if died else row.status,
        reason=row.reason,
        created=row.created,
        facts=from_json(row.facts),
        seconds=max(0.0, row.seconds or 0.0),
        holder=holder,
        mlflow_uri=row.mlflow_uri,
        mlflow_experiment_id=row.mlflow_experiment_id,
        mlflow_run_id=row.mlflow_run_id,
    )


def _trial(row: sa.Row[Any], reports: tuple[Report, ...] = ()) -> Trial:
    return Trial(
        number=row.number,
        config=from_json(row.config),
        state=State(row.state),
        reason=row.reason,
        error=row.error,
        baseline=row.baseline,
        seed=row.seed,
        reports=reports,
        test=None if row.test is None else from_json(row.test),
        mlflow_run_id=row.mlflow_run_id,
        attempts=row.attempts,
        created=row.created,
        ended=row.ended,
        facts=from_json(row.facts),
    )


def _metrics_json(metrics: Mapping[str, float]) -> str:
    return json.dumps({name: float(value) for name, value in metrics.items()})  # NaN and Infinity as they are


def _reports(rows: Sequence[Any], first: int) -> Iterator[Report]:
    """first: where `_REPORT`'s columns begin in a row. All metrics are parsed in one go: faster by a third."""
    metrics = from_json(f"[{','.join(row[first + 1] for row in rows)}]")
    for row, values in zip(rows, metrics, strict=True):
        yield Report(row[first], values, row[first + 2], row[first + 3], row[first + 4] == 1)


def _reports_by_trial(rows: Sequence[Any]) -> dict[int, list[Report]]:
    """rows: number, then `_REPORT`, ordered by number."""
    pairs: Iterable[tuple[int, Report]] = zip((row[0] for row in rows), _reports(rows, first=1), strict=True)
    return {number: [report for _, report in group] for number, group in groupby(pairs, key=itemgetter(0))}


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


def _forget_mlflow(connection: sa.Connection, study_id: int) -> None:
    connection.execute(
        studies.update().where(studies.c.id == study_id).values(mlflow_experiment_id=None, mlflow_run_id=None)
    )
    connection.execute(
        trials.update()
        .where(trials.c.study_id == study_id)
        .values(mlflow_run_id=None, mlflow_revision=0, mlflow_status=None)
    )
