"""Keeps the trials of a study, their attempts, and every report."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from orchestrator.job import FailureClass
from orchestrator.ledger.database import Database
from orchestrator.ledger.errors import DuplicateConfig, LedgerError
from orchestrator.ledger.lease_table import LeaseTable
from orchestrator.ledger.retry import Retry
from orchestrator.ledger.rows import (
    ROWS_AT_ONCE,
    Attempt,
    attempt_of,
    failures_by_trial,
    from_json,
    history,
    metrics_json,
    reports_by_trial,
    storable,
    to_json,
    trial_of,
)
from orchestrator.ledger.table import Table, retried
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
    TRIALS,
    attempts,
    keep_report,
    next_revision,
    reports,
    trials,
)
from orchestrator.plain_data import canonical, config_key
from orchestrator.steady_clock import SteadyClock
from orchestrator.trial import PausedBy, Report, Role, State, Trial


class TrialTable(Table):
    """Refuses with LeaseLost what a process writes that lost its study to another."""

    def __init__(self, database: Database, leases: LeaseTable, retry: Retry, clock: SteadyClock) -> None:
        super().__init__(database, leases, retry, clock)
        self._keep_report = keep_report(database.dialect)

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
        """Adds a trial, running its first attempt, which takes so many `gpus`.

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
            created=self._clock(),
            role=role,
            data=None if data is None else from_json(to_json(data)),
        )
        return replace(trial, number=self._add_trial(study_id, trial, digest_of(config, data), text, gpus))

    @retried
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
        """Lets the trial run again on so many `gpus`, from its newest checkpoint that counts.

        Returns the attempt's number, from 1.
        """
        return self._start_attempt(study_id, number, gpus, self._clock())

    @retried
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

    @retried
    def record(self, study_id: int, number: int, report: Report) -> None:
        """Keeps a report. Of a repeated epoch the later report counts, in the place of the earlier."""
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

    @retried
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
        """Ends the running attempt, by a `failure` if one is given. state: any but running.

        error: a traceback. paused_by: of a trial that is paused; None: the session. accumulation_steps: that it goes on
        with; None: as before.
        """
        now = self._clock()
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

    @retried
    def set_test(self, study_id: int, number: int, metrics: Mapping[str, float]) -> None:
        with self._database.write() as connection:
            self._change(connection, study_id, number, test=metrics_json(metrics))

    @retried
    def set_facts(self, study_id: int, number: int, facts: Mapping[str, Any]) -> None:
        with self._database.write() as connection:
            self._change(connection, study_id, number, facts=to_json(facts))

    @retried
    def trial(self, study_id: int, number: int) -> Trial:
        """Raises LedgerError if there is none of this number."""
        found = self._trials(trials.c.study_id == study_id, trials.c.number == number, with_reports=True)
        if not found:
            raise LedgerError(f"{self._database.shown}: study {study_id} has no trial {number}")
        return found[0]

    @retried
    def trials(self, study_id: int, reports: bool = True) -> list[Trial]:
        """Returns all trials by number; without their reports if those are not asked for."""
        return self._trials(trials.c.study_id == study_id, with_reports=reports)

    @retried
    def attempts(self, study_id: int, number: int) -> list[Attempt]:
        with self._database.read() as connection:
            rows = connection.execute(ATTEMPTS.where(trials.c.study_id == study_id, trials.c.number == number))
            return [attempt_of(row) for row in rows]

    @retried
    def gpu_seconds(self, study_id: int, until: float | None = None) -> float:
        """Returns the GPU-seconds of all attempts: each its time x its GPUs.

        until: unix time until which those that have no end count; None: they do not.
        """
        with self._database.read() as connection:
            key = {"study": study_id, "until": until}
            return sum(connection.scalar(statement, key) or 0.0 for statement in GPU_SECONDS)

    @retried
    def history(self, study_id: int, after: int = 0) -> list[tuple[int, int, Report]]:
        """Returns (sequence, trial number, report) past sequence `after`, in the order in which they first arrived."""
        query = HISTORY.where(trials.c.study_id == study_id, reports.c.sequence > after)
        with self._database.read() as connection, _uncollected():
            return history(connection.execute(query).partitions(ROWS_AT_ONCE))

    # Inside

    def _trials(self, *wanted: sa.ColumnElement[bool], with_reports: bool) -> list[Trial]:
        with self._database.read() as connection, _uncollected():
            rows = connection.execute(TRIALS.where(*wanted)).all()
            parts = connection.execute(REPORTS.where(*wanted)).partitions(ROWS_AT_ONCE) if with_reports else ()
            found = reports_by_trial(parts)
            failed = failures_by_trial(connection.execute(FAILURES.where(*wanted)))
            return [trial_of(row, tuple(found.get(row.number, ())), failed.get(row.number, ())) for row in rows]


_NEXT_REVISION, _NEXT_REVISION_LEASED = next_revision(held=False), next_revision(held=True)


def digest_of(config: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> str:
    """Tells apart what a trial learns: its config, and its data where they are not the study's."""
    own_data = "" if data is None else f"\n{canonical(data)}"
    return hashlib.sha256(f"{config_key(config)}{own_data}".encode()).hexdigest()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Pauses the garbage collector: half a million new objects are made, and looking among them doubles the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
