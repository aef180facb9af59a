"""What happened: studies, trials, states, attempts, and every report. The only truth; the rest follows from it."""

from __future__ import annotations

import functools
import gc
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa

from orchestrator.job import FailureClass
from orchestrator.ledger.database import Database
from orchestrator.ledger.errors import DuplicateConfig, LedgerError, StudyExists, UnknownStudy
from orchestrator.ledger.lease import Lease
from orchestrator.ledger.lease_table import LeaseTable, StudyInUse
from orchestrator.ledger.mlflow_marks import Marks
from orchestrator.ledger.retry import Retry
from orchestrator.ledger.rows import (
    ROWS_AT_ONCE,
    Attempt,
    MoreTrials,
    StudyRow,
    attempt_of,
    failures_by_trial,
    from_json,
    history,
    metrics_json,
    reports_by_trial,
    storable,
    study_row,
    to_json,
    trial_of,
)
from orchestrator.ledger.step_table import StepTable
from orchestrator.ledger.tables import (
    ATTEMPTS,
    END_ATTEMPTS,
    FAILURES,
    GPU_SECONDS,
    HISTORY,
    LAST_NUMBER,
    NEW_ATTEMPT,
    NEW_TRIAL,
    REPORTS,
    SAME_CONFIG,
    STUDIES,
    TRIALS,
    attempts,
    change_trial,
    keep_report,
    next_revision,
    reports,
    studies,
    trials,
)
from orchestrator.plain_data import canonical, config_key
from orchestrator.trial import Extension, Objective, PausedBy, Report, Role, State, Trial

P = ParamSpec("P")
T = TypeVar("T")


def _retried(method: Callable[Concatenate[Ledger, P], T]) -> Callable[Concatenate[Ledger, P], T]:
    """One transaction that leaves the same when it is repeated: an answer may be lost after the act was done."""

    @functools.wraps(method)
    def insisting(self: Ledger, *arguments: P.args, **named: P.kwargs) -> T:
        return self._patience.insist(lambda: method(self, *arguments, **named))

    return insisting


class Ledger:
    """The database of all studies of one home, or of a team. Safe from several threads, processes and hosts.

    A study is written to by the one process that holds it (`acquire`). What a lease writes that lost its study to
    another is refused with LeaseLost. Every method raises LedgerError when the database cannot be used.
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
        self._patience = Retry(patience, say)
        self._keep_report = keep_report(self._database.dialect)
        self._leases = LeaseTable(self._database.shown)
        self.steps = StepTable(self._database, self._leases, self._patience)

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

    @_retried
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

    @_retried
    def study(self, name: str) -> StudyRow:
        """Raises UnknownStudy, with the names that there are."""
        with self._database.read() as connection:
            row = connection.execute(STUDIES.where(studies.c.name == name)).one_or_none()
            if row is None:
                raise UnknownStudy(name, connection.scalars(sa.select(studies.c.name).order_by(studies.c.name)).all())
        return study_row(row)

    @_retried
    def study_of(self, study_id: int) -> StudyRow:
        with self._database.read() as connection:
            return study_row(connection.execute(STUDIES.where(studies.c.id == study_id)).one())

    @_retried
    def studies(self) -> list[StudyRow]:
        """All studies, oldest first."""
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

    @_retried
    def update_study(self, study_id: int, **columns: Any) -> None:
        """columns: raw, status, reason, facts, mlflow_experiment_id, mlflow_run_id. What is given replaces what was."""
        values = {
            name: to_json(value) if name in ("raw", "facts") else storable(value) for name, value in columns.items()
        }
        with self._database.write() as connection:
            self._leases.lock(connection, study_id)
            connection.execute(studies.update().where(studies.c.id == study_id).values(**values))

    @_retried
    def want_more(self, study_id: int, more: MoreTrials | None) -> None:
        """Keeps what `--trials +N` asked for, until it is there (None)."""
        values = {"more_asked": more and more.asked, "more_until": more and more.until}
        with self._database.write() as connection:
            self._leases.lock(connection, study_id)
            connection.execute(studies.update().where(studies.c.id == study_id).values(**values))

    @_retried
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
            self._leases.lock(connection, study_id)
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
                waits: dict[str, Any] = (
                    {"state": State.PAUSED.value, "paused_by": PausedBy.SESSION.value}
                    if reason is not None and state == State.RUNNING
                    else {}
                )
                self._change(connection, study_id, number, left_out=storable(reason), **waits)
            for number, (config, extension) in extended.items():
                self._extend(connection, study_id, number, config, extension)

    # Who runs a study

    def acquire(self, study_id: int, pid: int, host: str) -> Lease | None:
        """Take the study for this process and begin a session; returns the dead lease it was taken from, if any.

        Raises StudyInUse while another process that lives holds it: of two at once, one gets it.
        """
        return self._acquire(study_id, pid, host, self._now())

    @_retried
    def _acquire(self, study_id: int, pid: int, host: str, now: float) -> Lease | None:
        with self._database.write() as connection:
            session, stale = self._leases.take(connection, study_id, pid, host, now)
        self._leases.taken(study_id, session)
        return stale

    @_retried
    def beat(self, study_id: int) -> None:
        """A sign of life. Raises LeaseLost when another process took the study over in the meantime."""
        with self._database.write(lazy=True) as connection:
            self._leases.beat(connection, study_id)

    @_retried
    def release(self, study_id: int, status: str, reason: str | None = None) -> None:
        """End the session. A study that another process took over in the meantime is left to it."""
        with self._database.write() as connection:
            self._leases.give_back(connection, study_id, status, reason)
        self._leases.given_back(study_id)

    # Trials

    def add_trial(
        self,
        study_id: int,
        config: Mapping[str, Any],
        *,
        baseline: str | None = None,
        seed: int = 0,
        origin: str | None = None,
        role: Role = Role.SEARCH,
        data: Mapping[str, Any] | None = None,
        gpus: float = 0.0,
    ) -> Trial:
        """A new trial, running its first attempt, which takes so many `gpus`.

        data: its own, in place of the study's. Raises DuplicateConfig if its config was tried already with this seed
        and these data.
        """
        text = to_json(config)
        trial = Trial(
            0,
            from_json(text),  # as a later start reads it
            baseline=baseline,
            seed=seed,
            origin=origin,
            created=time.time(),
            role=role,
            data=None if data is None else from_json(to_json(data)),
        )
        return replace(trial, number=self._add_trial(study_id, trial, _digest(config, data), text, gpus))

    @_retried
    def _add_trial(self, study_id: int, trial: Trial, digest: str, config: str, gpus: float) -> int:
        with self._database.write() as connection:
            self._leases.lock(connection, study_id)
            same = {"study": study_id, "digest": digest, "seed": trial.seed}
            known = connection.execute(SAME_CONFIG, same).one_or_none()
            if known is not None and known.created == trial.created:  # done before, but the answer was lost
                return known.number
            if known is not None:
                raise DuplicateConfig(known.number)
            number = (connection.scalar(LAST_NUMBER, {"study": study_id}) or 0) + 1
            row = {
                "study_id": study_id,
                "number": number,
                "config": config,
                "config_digest": digest,
                "baseline": trial.baseline,
                "seed": trial.seed,
                "origin": trial.origin,
                "role": trial.role.value,
                "data": None if trial.data is None else to_json(trial.data),
                "state": State.RUNNING.value,
                "facts": "{}",
                "attempts": 1,
                "created": trial.created,
                "revision": 1,
                "mlflow_unsure": 0,
                "mlflow_revision": 0,
            }
            trial_id = connection.execute(NEW_TRIAL, row).scalar_one()
            first = {"trial_id": trial_id, "number": 1, "from_epoch": 0, "started": trial.created}
            connection.execute(NEW_ATTEMPT, first | {"gpus": gpus})
        return number

    def start_attempt(self, study_id: int, number: int, gpus: float = 0.0) -> int:
        """The trial runs again on so many `gpus`, from its newest checkpoint that counts.

        Returns the attempt's number, from 1.
        """
        return self._start_attempt(study_id, number, gpus, time.time())

    @_retried
    def _start_attempt(self, study_id: int, number: int, gpus: float, now: float) -> int:
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
                paused_by=None,
                ended=None,
                more_attempts=1,
            )
            unended = {"trial": trial_id, "how": "interrupted", "at": now, "failure": None}
            connection.execute(END_ATTEMPTS, unended)
            attempt = connection.scalar(sa.select(trials.c.attempts).where(trials.c.id == trial_id))
            saved = sa.select(sa.func.coalesce(sa.func.max(reports.c.epoch), 0)).where(
                reports.c.trial_id == trial_id, reports.c.checkpoint == 1
            )
            begun = {"trial_id": trial_id, "number": attempt, "from_epoch": connection.scalar(saved), "started": now}
            connection.execute(NEW_ATTEMPT, begun | {"gpus": gpus})
        assert attempt is not None
        return attempt

    @_retried
    def record(self, study_id: int, number: int, report: Report) -> None:
        """Keep a report. Of a repeated epoch the later report counts, in the place of the earlier."""
        metrics = metrics_json(report.metrics)
        # A checkpoint counts, and the one before it goes, by this report: lost with the power, neither would be left.
        # Without a checkpoint nothing follows from it that is not repeated with its epoch.
        with self._database.write(lazy=not report.checkpoint) as connection:
            session = self._leases.session(study_id)
            statement = _NEXT_REVISION if session is None else _NEXT_REVISION_LEASED
            key = {"study": study_id, "trial": number} | ({} if session is None else {"session": session})
            bumped = connection.execute(statement, key).one_or_none()
            if bumped is None:
                self._leases.fence(connection, study_id)
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

    @_retried
    def finish(
        self,
        study_id: int,
        number: int,
        state: State,
        reason: str | None = None,
        error: str | None = None,
        *,
        paused_by: PausedBy | None = None,
        failure: FailureClass | None = None,
        accumulation_steps: int | None = None,
    ) -> None:
        """The running attempt came to its end, by a `failure` if one is given. state: any but running.

        error: a traceback. paused_by: of a trial that is paused; None: the session. accumulation_steps: that it goes on
        with; None: as before.
        """
        now = time.time()
        paused = State(state) is State.PAUSED
        steps = {} if accumulation_steps is None else {"accumulation_steps": accumulation_steps}
        with self._database.write() as connection:
            trial_id = self._change(
                connection,
                study_id,
                number,
                state=State(state).value,
                reason=storable(reason),
                error=storable(error),
                ended=now if State(state).final else None,
                paused_by=(paused_by or PausedBy.SESSION).value if paused else None,
                **steps,
            )
            how = {"how": State(state).value, "failure": None if failure is None else failure.value}
            connection.execute(END_ATTEMPTS, {"trial": trial_id, "at": now} | how)

    @_retried
    def set_test(self, study_id: int, number: int, metrics: Mapping[str, float]) -> None:
        with self._database.write() as connection:
            self._change(connection, study_id, number, test=metrics_json(metrics))

    @_retried
    def set_facts(self, study_id: int, number: int, facts: Mapping[str, Any]) -> None:
        with self._database.write() as connection:
            self._change(connection, study_id, number, facts=to_json(facts))

    @_retried
    def trial(self, study_id: int, number: int) -> Trial:
        """Raises LedgerError if there is none of this number."""
        found = self._trials(trials.c.study_id == study_id, trials.c.number == number, with_reports=True)
        if not found:
            raise LedgerError(f"{self._database.shown}: study {study_id} has no trial {number}")
        return found[0]

    @_retried
    def trials(self, study_id: int, reports: bool = True) -> list[Trial]:
        """All trials by number; without their reports if those are not asked for."""
        return self._trials(trials.c.study_id == study_id, with_reports=reports)

    @_retried
    def attempts(self, study_id: int, number: int) -> list[Attempt]:
        with self._database.read() as connection:
            rows = connection.execute(ATTEMPTS.where(trials.c.study_id == study_id, trials.c.number == number))
            return [attempt_of(row) for row in rows]

    @_retried
    def gpu_seconds(self, study_id: int, until: float | None = None) -> float:
        """What all attempts took: each its time x its GPUs.

        until: unix time until which those that have no end count; None: they do not.
        """
        with self._database.read() as connection:
            key = {"study": study_id, "until": until}
            return sum(connection.scalar(statement, key) or 0.0 for statement in GPU_SECONDS)

    @_retried
    def history(self, study_id: int, after: int = 0) -> list[tuple[int, int, Report]]:
        """(sequence, trial number, report) of all reports past sequence `after`, in the order they first arrived."""
        query = HISTORY.where(trials.c.study_id == study_id, reports.c.sequence > after)
        with self._database.read() as connection, _uncollected():
            return history(connection.execute(query).partitions(ROWS_AT_ONCE))

    # Inside

    @_retried
    def _now(self) -> float:
        with self._database.read() as connection:
            return self._leases.now(connection)

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
            paused_by=PausedBy.SESSION.value,
            reason=f"goes on to {extension.new_limit} epochs",
            ended=None,
            test=None,
            extended=to_json([*before, added]),
        )

    def _change(
        self, connection: sa.Connection, study_id: int, number: int, more_attempts: int = 0, **values: Any
    ) -> int:
        """Update a trial; returns its row's id. Raises LeaseLost."""
        self._leases.fence(connection, study_id)
        given = values | {"study": study_id, "trial": number, "more_attempts": more_attempts}
        row = connection.execute(change_trial(tuple(values)), given).one_or_none()
        if row is None:
            raise LedgerError(f"{self._database.shown}: study {study_id} has no trial {number}")
        return row.id

    def _trials(self, *wanted: sa.ColumnElement[bool], with_reports: bool) -> list[Trial]:
        with self._database.read() as connection, _uncollected():
            rows = connection.execute(TRIALS.where(*wanted)).all()
            parts = connection.execute(REPORTS.where(*wanted)).partitions(ROWS_AT_ONCE) if with_reports else ()
            found = reports_by_trial(parts)
            failed = failures_by_trial(connection.execute(FAILURES.where(*wanted)))
            return [trial_of(row, tuple(found.get(row.number, ())), failed.get(row.number, ())) for row in rows]


_NEXT_REVISION, _NEXT_REVISION_LEASED = next_revision(held=False), next_revision(held=True)


def _digest(config: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> str:
    """Tells apart what a trial learns: its config, and its data where they are not the study's."""
    own_data = "" if data is None else f"\n{canonical(data)}"
    return hashlib.sha256(f"{config_key(config)}{own_data}".encode()).hexdigest()


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
