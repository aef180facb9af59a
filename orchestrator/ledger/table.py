"""Gives every part of the ledger the database, the leases of this process, and retries where a server is away."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa

from orchestrator.ledger.database import Database
from orchestrator.ledger.errors import LedgerError
from orchestrator.ledger.lease_table import LeaseTable
from orchestrator.ledger.retry import Retry
from orchestrator.ledger.tables import change_trial
from orchestrator.steady_clock import SteadyClock

P = ParamSpec("P")
T = TypeVar("T")
Part = TypeVar("Part", bound="Table")


class Table:
    """Serves as base of a part of the ledger. All parts of one ledger share database, leases, retries and clock."""

    def __init__(self, database: Database, leases: LeaseTable, retry: Retry, clock: SteadyClock) -> None:
        self._database, self._leases, self._retry, self._clock = database, leases, retry, clock

    def _change(
        self, connection: sa.Connection, study_id: int, number: int, more_attempts: int = 0, **values: Any
    ) -> int:
        """Updates a trial; returns its row's id. Raises LeaseLost."""
        self._leases.fence(connection, study_id)
        given = values | {"study": study_id, "trial": number, "more_attempts": more_attempts}
        row = connection.execute(change_trial(tuple(values)), given).one_or_none()
        if row is None:
            raise LedgerError(f"{self._database.shown}: study {study_id} has no trial {number}")
        return row.id


def retried(method: Callable[Concatenate[Part, P], T]) -> Callable[Concatenate[Part, P], T]:
    """Repeats a transaction that leaves the same when it is repeated: an answer may be lost after the act was done."""

    @functools.wraps(method)
    def insisting(self: Part, *arguments: P.args, **named: P.kwargs) -> T:
        return self._retry.insist(lambda: method(self, *arguments, **named))

    return insisting
