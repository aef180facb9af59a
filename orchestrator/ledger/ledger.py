"""Keeps what happened: studies, trials, states, attempts, and every report. The only truth; the rest follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from orchestrator.ledger.database import Database
from orchestrator.ledger.lease_table import LeaseTable
from orchestrator.ledger.mlflow_marks import Marks
from orchestrator.ledger.retry import Retry
from orchestrator.ledger.rows import from_json, storable, to_json
from orchestrator.ledger.step_table import StepTable
from orchestrator.ledger.study_table import StudyTable
from orchestrator.ledger.table import retried
from orchestrator.ledger.tables import studies, trials
from orchestrator.ledger.trial_table import TrialTable, digest_of
from orchestrator.steady_clock import SteadyClock
from orchestrator.trial import Extension, PausedBy, State


class Ledger(StudyTable, TrialTable):
    """Holds all studies of one home, or of a team. Safe from several threads, processes and hosts.

    A study is written to by the one process that holds it (`acquire`). What a process writes that lost its study to
    another is refused with LeaseLost. Every method raises LedgerError when the database cannot be used.
    """

    def __init__(
        self, url: str | Path, *, patience: float = 0.0, say: Callable[[str], None] = lambda line: None
    ) -> None:
        """Opens it. url: a file, made with its folder if absent, or postgresql://USER:PASSWORD@HOST/DATABASE.

        patience: how many seconds to wait for a server that goes away later; `say` is told.
        """
        self.url = url
        database = Database(url)
        super().__init__(database, LeaseTable(database.shown), Retry(patience, say), SteadyClock())
        self.marks = Marks(database)  # what MLflow has of it
        self.steps = StepTable(self._database, self._leases, self._retry, self._clock)

    def close(self) -> None:
        self._database.close()

    def wait_for_room_unless(self, hopeless: Callable[[], bool]) -> None:
        """Waits for a full disk while `hopeless` says no, which is asked every second."""
        self._retry.hopeless = hopeless

    @retried
    def revise(
        self,
        study_id: int,
        *,
        raw: Mapping[str, Any],
        facts: Mapping[str, Any],
        left_out: Mapping[int, str],
        extended: Mapping[int, tuple[Mapping[str, Any], Extension]],
    ) -> None:
        """Replaces the study file: from now on `raw` holds.

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
            config_digest=digest_of(config),
            state=State.PAUSED.value,
            paused_by=PausedBy.SESSION.value,
            reason=f"goes on to {extension.new_limit} epochs",
            ended=None,
            test=None,
            extended=to_json([*before, added]),
        )
