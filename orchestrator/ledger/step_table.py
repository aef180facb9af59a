"""Keeps the steps of a study and their attempts. Each write returns the step as the ledger then has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from orchestrator.job import FailureClass, JobKind
from orchestrator.ledger.errors import LedgerError
from orchestrator.ledger.rows import from_json, metrics_json, storable, to_json
from orchestrator.ledger.table import Table
from orchestrator.ledger.tables import END_STEP_ATTEMPTS, change_trial, step_attempts, steps, trials
from orchestrator.step import Step
from orchestrator.trial import FailedAttempt, State


class StepTable(Table):
    """Keeps work that is done with a trial's checkpoint, and its attempts."""

    def of(self, study_id: int) -> list[Step]:
        """Returns all steps of a study by number."""
        return self._retry.insist(lambda: self._of(study_id))

    def add(
        self, study_id: int, kind: JobKind, trial: int, epoch: int, accumulation_steps: int | None, gpus: float
    ) -> Step:
        """Adds a step of a trial, which runs its first attempt on so many `gpus`."""
        step = Step(0, kind, trial, epoch, created=self._clock(), accumulation_steps=accumulation_steps)
        return replace(step, number=self._retry.insist(lambda: self._add(study_id, step, gpus)))

    def start_attempt(self, study_id: int, step: Step, gpus: float) -> Step:
        """Lets a paused step run again."""
        again = replace(step, state=State.RUNNING, reason=None, attempts=step.attempts + 1)
        began = self._clock()
        self._retry.insist(lambda: self._start_attempt(study_id, again, gpus, began))
        return again

    def finish(
        self,
        study_id: int,
        step: Step,
        state: State,
        reason: str | None = None,
        error: str | None = None,
        *,
        failure: FailureClass | None = None,
        accumulation_steps: int | None = None,
        result: Mapping[str, float] | None = None,
    ) -> Step:
        """Ends the running attempt, by a `failure` if one is given. state: paused, completed or failed.

        result: of a completed one; the result of a scoring becomes its trial's, too.
        """
        failed = () if failure is None else (FailedAttempt(failure, 0),)
        now = self._clock()
        ended = replace(
            step,
            state=state,
            reason=storable(reason),
            error=storable(error),
            ended=now if state.final else None,
            result=result,
            failures=step.failures + failed,
            accumulation_steps=accumulation_steps or step.accumulation_steps,
        )
        self._retry.insist(lambda: self._finish(study_id, ended, failure, now))
        return ended

    def set_facts(self, study_id: int, step: Step, facts: Mapping[str, Any]) -> Step:
        """Replaces the step's facts."""
        self._retry.insist(lambda: self._change_step(study_id, step, facts=to_json(facts)))
        return replace(step, facts=facts)

    # Inside: transactions that leave the same when they are repeated

    def _of(self, study_id: int) -> list[Step]:
        failures = (
            sa.select(steps.c.number, step_attempts.c.failure)
            .join(steps)
            .where(steps.c.study_id == study_id, step_attempts.c.failure.is_not(None))
            .order_by(step_attempts.c.number)
        )
        wanted = (
            sa.select(steps, trials.c.number.label("trial"))
            .join(trials, trials.c.id == steps.c.trial_id)
            .where(steps.c.study_id == study_id)
            .order_by(steps.c.number)
        )
        with self._database.read() as connection:
            failed: dict[int, tuple[FailedAttempt, ...]] = {}
            for number, kind in connection.execute(failures):
                failed[number] = (*failed.get(number, ()), FailedAttempt(FailureClass(kind), 0))
            return [_step(row, failed.get(row.number, ())) for row in connection.execute(wanted)]

    def _add(self, study_id: int, step: Step, gpus: float) -> int:
        with self._database.write() as connection:
            self._leases.lock(connection, study_id)
            mine = (steps.c.study_id == study_id, steps.c.created == step.created)
            known = connection.scalar(sa.select(steps.c.number).where(*mine))
            if known is not None:  # done before, but the answer was lost
                return known
            last = sa.select(sa.func.max(steps.c.number)).where(steps.c.study_id == study_id)
            number = (connection.scalar(last) or 0) + 1
            of_trial = sa.select(trials.c.id).where(trials.c.study_id == study_id, trials.c.number == step.trial)
            row = {
                "study_id": study_id,
                "number": number,
                "kind": step.kind.value,
                "trial_id": connection.execute(of_trial).scalar_one(),
                "epoch": step.epoch,
                "state": State.RUNNING.value,
                "facts": "{}",
                "accumulation_steps": step.accumulation_steps,
                "attempts": 1,
                "created": step.created,
            }
            step_id = connection.execute(steps.insert().values(**row).returning(steps.c.id)).scalar_one()
            first = {"step_id": step_id, "number": 1, "started": step.created, "gpus": gpus}
            connection.execute(step_attempts.insert(), first)
        return number

    def _start_attempt(self, study_id: int, step: Step, gpus: float, began: float) -> None:
        with self._database.write() as connection:
            values = {"state": State.RUNNING.value, "reason": None, "ended": None, "attempts": step.attempts}
            step_id = self._update(connection, study_id, step, **values)
            known = (step_attempts.c.step_id == step_id, step_attempts.c.number == step.attempts)
            if connection.scalar(sa.select(step_attempts.c.number).where(*known)) is None:
                unended = {"step": step_id, "how": "interrupted", "at": began, "failure": None}
                connection.execute(END_STEP_ATTEMPTS, unended)
                row = {"step_id": step_id, "number": step.attempts, "started": began, "gpus": gpus}
                connection.execute(step_attempts.insert(), row)

    def _finish(self, study_id: int, step: Step, failure: FailureClass | None, now: float) -> None:
        result = None if step.result is None else metrics_json(step.result)
        values = {"state": step.state.value, "reason": step.reason, "error": step.error, "ended": step.ended}
        values |= {"result": result, "accumulation_steps": step.accumulation_steps}
        with self._database.write() as connection:
            step_id = self._update(connection, study_id, step, **values)
            how = {"how": step.state.value, "failure": None if failure is None else failure.value}
            connection.execute(END_STEP_ATTEMPTS, {"step": step_id, "at": now} | how)
            if result is not None and step.kind is JobKind.SCORE:
                key = {"study": study_id, "trial": step.trial, "more_attempts": 0}
                connection.execute(change_trial(("test",)), key | {"test": result})

    def _change_step(self, study_id: int, step: Step, **values: Any) -> None:
        with self._database.write() as connection:
            self._update(connection, study_id, step, **values)

    def _update(self, connection: sa.Connection, study_id: int, step: Step, **values: Any) -> int:
        """Updates a step; returns its row's id. Raises LeaseLost."""
        self._leases.fence(connection, study_id)
        one = (steps.c.study_id == study_id, steps.c.number == step.number)
        row_id = connection.scalar(steps.update().where(*one).values(**values).returning(steps.c.id))
        if row_id is None:
            raise LedgerError(f"{self._database.shown}: study {study_id} has no step {step.number}")
        return row_id


def _step(row: Any, failures: tuple[FailedAttempt, ...]) -> Step:
    return Step(
        number=row.number,
        kind=JobKind(row.kind),
        trial=row.trial,
        epoch=row.epoch,
        state=State(row.state),
        reason=row.reason,
        error=row.error,
        result=None if row.result is None else from_json(row.result),
        attempts=row.attempts,
        created=row.created,
        ended=row.ended,
        facts=from_json(row.facts),
        accumulation_steps=row.accumulation_steps,
        failures=failures,
    )
