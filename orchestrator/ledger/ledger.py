"""What happened: studies, trials, states, attempts, and every report. The only truth; the rest follows from it."""

from __future__ import annotations

import functools
import gc
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa

from orchestrator.ledger.database import Database
from orchestrator.ledger.errors import (
    DuplicateConfig,
    LedgerError,
    StudyExists,
    StudyHeld,
    StudyTaken,
    UnknownStudy,
)
from orchestrator.ledger.holder import Holder, process_start
from orchestrator.ledger.marks import Marks
from orchestrator.ledger.patience import Patience
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
    HELD,
    HISTORY,
    REPORTS,
    STUDIES,
    TRIALS,
    attempts,
    keep_report,
    next_revision,
    reports,
    sessions,
    studies,
    trials,
    unix_now,
)
from orchestrator.space.search_space import config_key
from orchestrator.trial import Extension, Objective, Report, State, Trial

P = ParamSpec("P")
T = TypeVar("T")


def _patient(method: Callable[Concatenate[Ledger, P], T]) -> Callable[Concatenate[Ledger, P], T]:
    """One transaction that leaves the same when it is repeated: an answer may be lost after the act was done."""

    @functools.wraps(method)
    def insisting(self: Ledger, *arguments: P.args, **named: P.kwargs) -> T:
        return self._patience.insist(lambda: method(self, *arguments, **named))

    return insisting


class Ledger:
    """The database of all studies of one home, or of a team. Safe from several threads, processes and hosts.

    A study is written to by the one process that holds it (`acquire`). What a holder writes that lost its study to
    another is refused with StudyTaken. Every method raises LedgerError when the database cannot be used.
    """

    def __init__(
        self, url: str | Path, *, patience: float = 0.0, say: Callable[[str], None] = lambda line: None
    ) -> None:
        """url: a file, made with its folder if absent, or postgresql://USER:PASSWORD@HOST/DATABASE.

        patience: how many seconds to wait for a server that goes away later; `say` is told.
        """
        self.url = url
        self._database = Database(url)
        self.marks = Marks(self._database)  # what MLflow has of it
        self._patience = Patience(patience, say)
        self._keep_report = keep_report(self._database.dialect)
        self._held: dict[int, int] = {}  # study id -> our session

    def close(self) -> None:
        self._database.close()

    def wait_for_room_unless(self, hopeless: Callable[[], bool]) -> None:
        """A full disk is waited for while `hopeless` says no, which is asked every second."""
        self._patience.hopeless = hopeless

    # Studies

    def create_study(
        self, name: str, raw: Mapping[str, Any], objective: Objective, facts: Mapping[str, Any]
    ) -> StudyRow:
        """A new study, not running yet. Raises StudyExists."""
        self._create_study(uuid.uuid4().hex, name, raw, objective, facts)
        return self.study(name)

    @_patient
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
                    created=time.time(),
                    facts=to_json(facts),
                )
            )

    @_patient
    def study(self, name: str) -> StudyRow:
        """Raises UnknownStudy, with the names that there are."""
        with self._database.read() as connection:
            row = connection.execute(STUDIES.where(studies.c.name == name)).one_or_none()
            if row is None:
                raise UnknownStudy(name, connection.scalars(sa.select(studies.c.name).order_by(studies.c.name)).all())
        return study_row(row)

    @_patient
    def study_of(self, study_id: int) -> StudyRow:
        with self._database.read() as connection:
            return study_row(connection.execute(STUDIES.where(studies.c.id == study_id)).one())

    @_patient
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

    @_patient
    def update_study(self, study_id: int, **columns: Any) -> None:
        """columns: raw, status, reason, facts, mlflow_experiment_id, mlflow_run_id. What is given replaces what was."""
        values = {
            name: to_json(value) if name in ("raw", "facts") else storable(value) for name, value in columns.items()
        }
        with self._database.write() as connection:
            self._lock(connection, study_id)
            connection.execute(studies.update().where(studies.c.id == study_id).values(**values))

    @_patient
    def revise(
        self,
        study_id: int,
        *,
        raw: Mapping[str, Any],
        facts: Mapping[str, Any],
        left_out: Mapping[int, str],
        extended: Mapping[int, tuple[Mapping[str, Any], Extension]],
    ) -> None:
        """The study file changed: from now on `raw` holds.

        left_out: trial -> why it does not count now; all others do. extended: trial -> its config with the new limit on
        epochs; it waits to go on, and will be scored again.
        """
        with self._database.write() as connection:
            self._lock(connection, study_id)
            connection.execute(
                studies.update().where(studies.c.id == study_id).values(raw=to_json(raw), facts=to_json(facts))
            )
            rows = connection.execute(
                sa.select(trials.c.number, trials.c.state, trials.c.left_out).where(trials.c.study_id == study_id)
            ).all()
            for number, state, before in rows:
                reason = left_out.get(number)
                if before == reason and (reason is None or state != State.RUNNING):
                    continue
                waits = {"state": State.PAUSED.value} if reason is not None and state == State.RUNNING else {}
                self._change(connection, study_id, number, left_out=storable(reason), **waits)
            for number, (config, extension) in extended.items():
                self._extend(connection, study_id, number, config, extension)

    # Who runs a study

    def acquire(self, study_id: int, pid: int, host: str) -> Holder | None:
        """Take the study for this process and begin a session; returns the dead holder it was taken from, if any.

        Raises StudyHeld while another process that lives holds it: of two at once, one gets it.
        """
        return self._acquire(study_id, pid, host, self._now())

    @_patient
    def _acquire(self, study_id: int, pid: int, host: str, now: float) -> Holder | None:
        with self._database.write() as connection:
            self._lock(connection, study_id)
            row = study_row(connection.execute(STUDIES.where(studies.c.id == study_id)).one())
            if row.holder is not None:
                if (row.holder.pid, row.holder.host, row.holder.since) == (pid, host, now):
                    self._held[study_id] = self._session_of(connection, study_id)  # the answer was lost
                    return None
                if row.holder.alive:
                    raise StudyHeld(row.name, row.holder)
                _end_what_died(connection, study_id)
            values = {"pid": pid, "host": host, "process_start": process_start(pid), "started": now, "beat": now}
            session = connection.execute(
                sessions.insert().values(study_id=study_id, **values).returning(sessions.c.id)
            ).scalar_one()
            connection.execute(
                studies.update()
                .where(studies.c.id == study_id)
                .values(session_id=session, status="running", reason=None)
            )
        self._held[study_id] = session
        return row.holder

    @_patient
    def beat(self, study_id: int) -> None:
        """A sign of life. Raises StudyTaken when another process took the study over in the meantime."""
        with self._database.write(lazy=True) as connection:
            self._fence(connection, study_id)
            now = connection.scalar(sa.select(unix_now()))
            connection.execute(
                sessions.update().where(sessions.c.id == self._held[study_id], sessions.c.beat < now).values(beat=now)
            )

    @_patient
    def release(self, study_id: int, status: str, reason: str | None = None) -> None:
        """End the session. A study that another process took over in the meantime is left to it."""
        session = self._held[study_id]
        with self._database.write() as connection:
            now = connection.scalar(sa.select(unix_now())) or 0.0
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
        del self._held[study_id]

    # Trials

    def add_trial(
        self,
        study_id: int,
        config: Mapping[str, Any],
        *,
        baseline: str | None = None,
        seed: int = 0,
        origin: str | None = None,
    ) -> Trial:
        """A new trial, running its first attempt. Raises DuplicateConfig if its config and seed were tried already."""
        text = to_json(config)
        # As a later start reads it.
        trial = Trial(0, from_json(text), baseline=baseline, seed=seed, origin=origin, created=time.time())
        return replace(trial, number=self._add_trial(study_id, trial, _digest(config), text))

    @_patient
    def _add_trial(self, study_id: int, trial: Trial, digest: str, config: str) -> int:
        with self._database.write() as connection:
            self._lock(connection, study_id)
            same = (trials.c.study_id == study_id, trials.c.config_digest == digest, trials.c.seed == trial.seed)
            known = connection.execute(sa.select(trials.c.number, trials.c.created).where(*same)).one_or_none()
            if known is not None and known.created == trial.created:  # done before, but the answer was lost
                return known.number
            if known is not None:
                raise DuplicateConfig(known.number)
            last = connection.scalar(sa.select(sa.func.max(trials.c.number)).where(trials.c.study_id == study_id)) or 0
            trial_id = connection.execute(
                trials.insert()
                .values(
                    study_id=study_id,
                    number=last + 1,
                    config=config,
                    config_digest=digest,
                    baseline=trial.baseline,
                    seed=trial.seed,
                    origin=trial.origin,
                    state=State.RUNNING.value,
                    facts="{}",
                    attempts=1,
                    created=trial.created,
                    revision=1,
                    mlflow_unsure=0,
                    mlflow_revision=0,
                )
                .returning(trials.c.id)
            ).scalar_one()
            connection.execute(
                attempts.insert().values(trial_id=trial_id, number=1, from_epoch=0, started=trial.created)
            )
        return last + 1

    def start_attempt(self, study_id: int, number: int) -> int:
        """The trial runs again, from its newest checkpoint that counts. Returns the attempt's number, from 1."""
        return self._start_attempt(study_id, number, time.time())

    @_patient
    def _start_attempt(self, study_id: int, number: int, now: float) -> int:
        with self._database.write() as connection:
            last = connection.execute(
                ATTEMPTS.where(trials.c.study_id == study_id, trials.c.number == number, attempts.c.started == now)
            ).first()
            if last is not None:  # done before, but the answer was lost
                return last.number
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

    @_patient
    def record(self, study_id: int, number: int, report: Report) -> None:
        """Keep a report. Of a repeated epoch the later report counts, in the place of the earlier."""
        metrics = metrics_json(report.metrics)
        # A checkpoint counts, and the one before it goes, by this report: lost with the power, neither would be left.
        # Without a checkpoint nothing follows from it that is not repeated with its epoch.
        with self._database.write(lazy=not report.checkpoint) as connection:
            session = self._held.get(study_id)
            statement = _NEXT_REVISION if session is None else _NEXT_REVISION_HELD
            key = {"study": study_id, "trial": number} | ({} if session is None else {"session": session})
            bumped = connection.execute(statement, key).one_or_none()
            if bumped is None:
                self._fence(connection, study_id)
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

    @_patient
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

    @_patient
    def set_test(self, study_id: int, number: int, metrics: Mapping[str, float]) -> None:
        with self._database.write() as connection:
            self._change(connection, study_id, number, test=metrics_json(metrics))

    @_patient
    def set_facts(self, study_id: int, number: int, facts: Mapping[str, Any]) -> None:
        with self._database.write() as connection:
            self._change(connection, study_id, number, facts=to_json(facts))

    @_patient
    def trial(self, study_id: int, number: int) -> Trial:
        """Raises LedgerError if there is none of this number."""
        found = self._trials(trials.c.study_id == study_id, trials.c.number == number, with_reports=True)
        if not found:
            raise LedgerError(f"{self._database.shown}: study {study_id} has no trial {number}")
        return found[0]

    @_patient
    def trials(self, study_id: int, reports: bool = True) -> list[Trial]:
        """All trials by number; without their reports if those are not asked for."""
        return self._trials(trials.c.study_id == study_id, with_reports=reports)

    @_patient
    def attempts(self, study_id: int, number: int) -> list[Attempt]:
        with self._database.read() as connection:
            rows = connection.execute(ATTEMPTS.where(trials.c.study_id == study_id, trials.c.number == number))
            return [Attempt(*row) for row in rows]

    @_patient
    def history(self, study_id: int, after: int = 0) -> list[tuple[int, int, Report]]:
        """(sequence, trial number, report) of all reports past sequence `after`, in the order they first arrived."""
        query = HISTORY.where(trials.c.study_id == study_id, reports.c.sequence > after)
        with self._database.read() as connection, _uncollected():
            return history(connection.execute(query).partitions(ROWS_AT_ONCE))

    # Inside

    @_patient
    def _now(self) -> float:
        with self._database.read() as connection:
            return connection.scalar(sa.select(unix_now())) or 0.0

    def _lock(self, connection: sa.Connection, study_id: int) -> None:
        """Only one transaction at a time past this point; SQLite's writers are alone already. Raises StudyTaken."""
        query = sa.select(studies.c.session_id).where(studies.c.id == study_id).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            raise LedgerError(f"{self._database.shown}: has no study {study_id}")
        if row.session_id != self._held.get(study_id, row.session_id):
            raise self._taken(connection, study_id)

    def _fence(self, connection: sa.Connection, study_id: int) -> None:
        """If the study was ours, it still is, and stays so until this transaction ends. Raises StudyTaken."""
        session = self._held.get(study_id)
        if session is not None and connection.scalar(HELD, {"study": study_id, "session": session}) is None:
            raise self._taken(connection, study_id)

    def _taken(self, connection: sa.Connection, study_id: int) -> StudyTaken:
        row = study_row(connection.execute(STUDIES.where(studies.c.id == study_id)).one())
        return StudyTaken(row.name, row.holder)

    def _session_of(self, connection: sa.Connection, study_id: int) -> int:
        return connection.execute(sa.select(studies.c.session_id).where(studies.c.id == study_id)).scalar_one()

    def _extend(
        self, connection: sa.Connection, study_id: int, number: int, config: Mapping[str, Any], extension: Extension
    ) -> None:
        one = (trials.c.study_id == study_id, trials.c.number == number)
        before = from_json(connection.scalar(sa.select(trials.c.extended).where(*one)) or "[]")
        added = list(astuple(extension))
        if before[-1:] == [added]:  # done before, but the answer was lost
            return
        self._change(
            connection,
            study_id,
            number,
            config=to_json(config),
            config_digest=_digest(config),
            state=State.PAUSED.value,
            reason=f"goes on to {extension.new_limit} epochs",
            ended=None,
            test=None,
            extended=to_json([*before, added]),
        )

    def _change(self, connection: sa.Connection, study_id: int, number: int, **values: Any) -> int:
        """Update a trial; returns its row's id. Raises StudyTaken."""
        self._fence(connection, study_id)
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


_NEXT_REVISION, _NEXT_REVISION_HELD = next_revision(held=False), next_revision(held=True)


def _digest(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(config_key(config).encode()).hexdigest()


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
