"""Keeps the leases of this process: taken, kept by heartbeats, given back, and noticed when another took one."""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from orchestrator.ledger.errors import LedgerError
from orchestrator.ledger.lease import SILENT_SECONDS, Lease, process_start
from orchestrator.ledger.rows import storable, study_row
from orchestrator.ledger.tables import (
    END_STUDYS_ATTEMPTS,
    END_STUDYS_STEP_ATTEMPTS,
    LAST_SIGN,
    LEASED,
    LOCK,
    STUDIES,
    sessions,
    studies,
    unix_now,
)


class StudyInUse(LedgerError):
    """Says that another living process runs the study."""

    exit_code = 2

    def __init__(self, name: str, lease: Lease) -> None:
        advice = f"wait for it, or stop it there with: kill -INT {lease.pid}"
        if lease.silent > SILENT_SECONDS:  # on this host, else it would not count as alive
            advice = f"it lives, but gave no sign of it for {lease.silent:.0f} s: if it was suspended, "
            advice += f"let it go on with: kill -CONT {lease.pid}, or end it with: kill -9 {lease.pid}"
        super().__init__(f"Study {name!r} is run by {lease}; {advice}")
        self.lease = lease


class LeaseLost(LedgerError):
    """Says that another process took the study over while this one was silent. lease: None when it has ended, too."""

    def __init__(self, name: str, lease: Lease | None) -> None:
        by = "another process, which has ended since" if lease is None else str(lease)
        super().__init__(
            f"Study {name!r} was taken over by {by}, because this process gave no sign of life for "
            f"{SILENT_SECONDS:.0f} s; it writes nothing more, and what its trials do now does not count"
        )
        self.lease = lease


class LeaseTable:
    """Holds the sessions of this process, by study. Every method is part of the transaction that it is given."""

    def __init__(self, shown: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._shown = shown  # the ledger, in errors
        self._clock = clock
        self._sessions: dict[int, int] = {}
        self._began: dict[int, float] = {}  # study -> the clock's time at which it was taken

    def session(self, study_id: int) -> int | None:
        """Ours, even if another has taken the study over since."""
        return self._sessions.get(study_id)

    def now(self, connection: sa.Connection) -> float:
        """Returns the unix time by the database's clock."""
        return connection.scalar(_NOW) or 0.0

    def lock(self, connection: sa.Connection, study_id: int) -> None:
        """Lets only one transaction at a time past this point; SQLite's writers are alone already. Raises LeaseLost."""
        row = connection.execute(LOCK, {"study": study_id}).one_or_none()
        if row is None:
            raise LedgerError(f"{self._shown}: has no study {study_id}")
        if row.session_id != self._sessions.get(study_id, row.session_id):
            raise _taken(connection, study_id)

    def fence(self, connection: sa.Connection, study_id: int) -> None:
        """Makes sure that the study, if it was ours, still is until this transaction ends. Raises LeaseLost."""
        session = self._sessions.get(study_id)
        if session is not None and connection.scalar(LEASED, {"study": study_id, "session": session}) is None:
            raise _taken(connection, study_id)

    def take(
        self, connection: sa.Connection, study_id: int, pid: int, host: str, now: float
    ) -> tuple[int, Lease | None]:
        """Returns our new session, and the dead lease that the study was taken from. Raises StudyInUse.

        now: when this was first tried; a session of ours that began then is the one that an earlier try has made.
        """
        self.lock(connection, study_id)
        row = study_row(connection.execute(STUDIES.where(studies.c.id == study_id)).one())
        if row.lease is not None:
            if (row.lease.pid, row.lease.host, row.lease.since) == (pid, host, now):
                query = sa.select(studies.c.session_id).where(studies.c.id == study_id)
                return connection.execute(query).scalar_one(), None
            if row.lease.alive:
                raise StudyInUse(row.name, row.lease)
            _end_what_died(connection, study_id)
        values = {"pid": pid, "host": host, "process_start": process_start(pid), "started": now, "beat": now}
        session = connection.execute(
            sessions.insert().values(study_id=study_id, **values).returning(sessions.c.id)
        ).scalar_one()
        connection.execute(
            studies.update().where(studies.c.id == study_id).values(session_id=session, status="running", reason=None)
        )
        return session, row.lease

    def taken(self, study_id: int, session: int) -> None:
        """Notes that the transaction that took the study is done."""
        self._sessions[study_id] = session
        self._began.setdefault(study_id, self._clock())

    def ask_to_stop(self, connection: sa.Connection, study_id: int) -> None:
        """Leaves word for the process that holds the study, which reads it with its next sign of life."""
        holder = sa.select(studies.c.session_id).where(studies.c.id == study_id).scalar_subquery()
        connection.execute(sessions.update().where(sessions.c.id == holder).values(stop_asked=self.now(connection)))

    def beat(self, connection: sa.Connection, study_id: int) -> bool:
        """Writes a heartbeat; returns whether somebody asked for the study to stop. Raises LeaseLost."""
        self.fence(connection, study_id)
        now, session = self.now(connection), self._sessions[study_id]
        after_start = sa.case((sessions.c.started > now, sessions.c.started), else_=now)
        values = {"beat": after_start, "seconds": self._seconds(study_id)}
        connection.execute(sessions.update().where(sessions.c.id == session).values(**values))
        return connection.scalar(sa.select(sessions.c.stop_asked).where(sessions.c.id == session)) is not None

    def give_back(self, connection: sa.Connection, study_id: int, status: str, reason: str | None) -> None:
        """Ends the session. A study that another process took over in the meantime is left to it."""
        now, session = self.now(connection), self._sessions[study_id]
        last = sa.case((sessions.c.beat > now, sessions.c.beat), else_=now)
        connection.execute(
            sessions.update()
            .where(sessions.c.id == session, sessions.c.ended.is_(None))
            .values(beat=last, ended=now, end_reason=status, seconds=self._seconds(study_id))
        )
        connection.execute(
            studies.update()
            .where(studies.c.id == study_id, studies.c.session_id == session)
            .values(session_id=None, status=status, reason=storable(reason))
        )

    def given_back(self, study_id: int) -> None:
        """Notes that the transaction that gave the study back is done."""
        del self._sessions[study_id]
        del self._began[study_id]

    def _seconds(self, study_id: int) -> float:
        """Returns for how long the study is ours, whatever set the wall clock meanwhile."""
        return self._clock() - self._began[study_id]


_NOW = sa.select(unix_now())


def _taken(connection: sa.Connection, study_id: int) -> LeaseLost:
    row = study_row(connection.execute(STUDIES.where(studies.c.id == study_id)).one())
    return LeaseLost(row.name, row.lease)


def _end_what_died(connection: sa.Connection, study_id: int) -> None:
    """Ends the session and the attempts of a dead lease, as far as is known, with its last heartbeat."""
    open_sessions = (sessions.c.study_id == study_id, sessions.c.ended.is_(None))
    last = connection.scalar(sa.select(sa.func.max(LAST_SIGN)).where(*open_sessions))
    for statement in (END_STUDYS_ATTEMPTS, END_STUDYS_STEP_ATTEMPTS):
        connection.execute(statement, {"study": study_id, "how": "interrupted", "at": last, "failure": None})
    connection.execute(sessions.update().where(*open_sessions).values(ended=sessions.c.beat, end_reason="interrupted"))
