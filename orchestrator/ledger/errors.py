"""Says what can be wrong with a ledger, and what a database's errors mean to the person who runs `tune`."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from orchestrator.disk import is_full
from orchestrator.errors import NightsweepError
from orchestrator.home import Home
from orchestrator.secret import HIDDEN, mask
from orchestrator.typed_command import command

BUSY_SECONDS = 30.0  # how long a writer waits for another
NO_ROOM = "has no room left to write; free some and start again: every report before is safe"


class LedgerError(NightsweepError):
    """Says in one line why the ledger cannot be used: where, what must hold, what came, what to do."""


class BadAddress(LedgerError):
    """Says that what was given as the ledger's address is none."""

    exit_code = 2


class LedgerAway(LedgerError):
    """Says that the server does not answer just now; what was asked may be asked again."""


class LedgerFull(LedgerAway):
    """Says that there is no room left to write; what was asked may be asked again when there is."""


def explained(error: sa.exc.SQLAlchemyError | sqlite3.Error, address: sa.URL, shown: str) -> LedgerError:
    """Returns the database's error in our words, without the password."""
    cause = _cause(error, address)
    if address.get_backend_name() == "sqlite":
        if "disk is full" in cause or ("disk I/O" in cause and is_full(error, Path(address.database or "").parent)):
            return LedgerFull(f"{shown}: {NO_ROOM}")
        return LedgerError(f"{shown}: {_sqlite_meaning(cause, shown)}")
    kind = LedgerAway if _may_pass(error, cause) else LedgerError
    if "No space left" in cause:
        kind = LedgerFull
    return kind(f"{shown}: {_postgresql_meaning(cause, address)}")


def _cause(error: Exception, address: sa.URL) -> str:
    lines = [line.strip() for line in str(getattr(error, "orig", None) or error).splitlines() if line.strip()]
    cause = mask(lines[0]) if lines else type(error).__name__
    password = str(address.password) if address.password else ""
    return cause.replace(password, HIDDEN) if len(password) > 3 else cause


def _sqlite_meaning(cause: str, shown: str) -> str:
    if "not a database" in cause or "malformed" in cause:
        return f"must be a nightsweep ledger, but {cause}; move it aside"
    if "readonly" in cause or "unable to open" in cause:
        return f"must be a file that can be read and written, but {cause}; see ls -l, or name another home with --home"
    if "locked" in cause:
        return f"another process has kept it locked for {BUSY_SECONDS:.0f} s; find it with: fuser {shown}"
    return f"cannot be used: {cause}"


_REFUSED = r"password authentication failed|no password supplied|no pg_hba.conf entry|role \".*\" does not exist"


def _may_pass(error: Exception, cause: str) -> bool:
    """Returns whether the server is away, starting, out of connections or in a deadlock, not of another opinion."""
    if re.search(rf"{_REFUSED}|database \".*\" does not exist", cause):
        return False
    return isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) or getattr(
        error, "connection_invalidated", False
    )


def _postgresql_meaning(cause: str, address: sa.URL) -> str:
    if re.search(_REFUSED, cause):
        return f"must name a user that the server lets in, but: {cause}; see the password in PGPASSWORD or ~/.pgpass"
    if re.search(r"database \".*\" does not exist", cause):
        host = f" -h {address.host}" if address.host else ""
        return f"must name a database that is there, but: {cause}; make it with: createdb{host} {address.database}"
    if "permission denied" in cause or "no schema has been selected" in cause:
        user = address.username or "its user"
        return f"must let {user} make and write tables, but: {cause}; ask its owner to grant that"
    if "No space left" in cause or "disk" in cause.lower():
        return f"has no room left to write: {cause}; free some and start again: every report before is safe"
    if re.search(r"connect|closed|terminat|timeout|timed out|starting up|shutting down|recovery", cause):
        return f"must be a PostgreSQL server that answers, but: {cause}; see that it runs and can be reached from here"
    return f"cannot be used: {cause}"


class UnknownStudy(LedgerError):
    exit_code = 2

    def __init__(self, name: str, known: Sequence[str], ledger: str | Path) -> None:
        home = Home.of_ledger(ledger)
        known_ones = f"Known studies: {', '.join(known)}. Try `{command(home, 'list')}`."
        none = f"There is none yet. Try `{command(home, 'run', 'SPACE.yaml')}`."
        super().__init__(f"No study named {name!r}. {known_ones if known else none}")


class StudyExists(LedgerError):
    def __init__(self, name: str) -> None:
        super().__init__(f"A study named {name!r} exists already; choose another --name.")


class DuplicateConfig(LedgerError):
    """Says that the study has a trial of this config and seed already."""

    def __init__(self, number: int) -> None:
        super().__init__(f"trial {number} has this config and seed already")
        self.number = number
