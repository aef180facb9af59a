"""Which studies this process holds: taken, kept by signs of life, given back, and noticed when another took one."""

from __future__ import annotations

import sqlalchemy as sa

from orchestrator.ledger.errors import LedgerError
from orchestrator.ledger.holder import SILENT_SECONDS, Holder, process_start
from orchestrator.ledger.rows import storable, study_row
from orchestrator.ledger.tables import (
    END_STUDYS_ATTEMPTS,
    HELD,
    LOCK,
    STUDIES,
    sessions,
    studies,
    unix_now,
)


class StudyHeld(LedgerError):
    """Another living process runs the study."""

    exit_code = 2

    def __init__(self, name: str, holder: Holder) -> None:
        advice = f"wait for it, or stop it there with: kill -INT {holder.pid}"
        if holder.silent > SILENT_SECONDS:  # on this host, else it would not count as alive
            advice = f"it lives, but gave no sign of it for {holder.silent:.0f} s: if it was suspended, "
            advice += f"let it go on with: kill -CONT {holder.pid}, or end it with: kill -9 {holder.pid}"
        super().__init__(f"Study {name!r} is run by {holder}; {advice}")
        self.holder = holder


class StudyTaken(LedgerError):
    """Another process took the study over while this one gave no sign of life. holder: None when it has ended, too."""

    def __init__(self, name: str, holder: Holder | None) -> None:
        by = "another process, which has ended since" if holder is None else str(holder)
        super().__init__(
            f"Study {name!r} was taken over by {by}, because this process gave no sign of life for "
            f"{SILENT_SECONDS:.0f} s; it writes nothing more, and what its trials do now does not count"
        )
        self.holder = holder


class Holding:
    """The sessions of this process, by study. Every method is part of the transaction that it is given."""

    def __init__(self, shown: str) -> None:
        self._shown = shown  # the ledger, in errors
        self._sessions: dict[int, int] = {}

    def session(self, study_id: int) -> int | None:
        """Ours, even if another has taken the study over since."""
        return self._sessions.get(study_id)

    def now(self, connection: sa.Connection) -> float:
        """Unix time by the database's clock."""
        return connection.scalar(_NOW) or 0.0

    def lock(self, connection: sa.Connection, study_id: int) -> None:
        """Only one transaction at a time past this point; SQLite's writers are alone already. Raises StudyTaken."""
        row = connection.execute(LOCK, {"study": study_id}).one_or_none()
        if row is None:
            raise LedgerError(f"{self._shown}: has no study {study_id}")
        if row.session_id != self._sessions.get(study_id, row.session_id):
            raise _taken(connection, study_id)

    def fence(self, connection: sa.Connection, study_id: int) -> None:
        """If the study was ours, it still is, and stays so until this transaction ends. Raises StudyTaken."""
        session = self._sessions.get(study_id)
        if session is not None and connection.scalar(HELD, {"study": study_id, "session": session}) is None:
            raise _taken(connection, study_id)

    def take(
        self, connection: sa.Connection, study_id: int, pid: int, host: str, now: float
    ) -> tuple[int, Holder | None]:
        """Our new session, and the dead holder that the study was taken from. Raises StudyHeld.

        now: when this was first tried; a session of ours that began then is the one that an earlier try has made.
        """
        self.lock(connection, study_id)
        row = study_row(connection.execute(STUDIES.where(studies.c.id == study_id)).one())
        if row.holder is not None:
            if (row.holder.pid, row.holder.host, row.holder.since) == (pid, host, now):
                query = sa.select(studies.c.session_id).where(studies.c.id == study_id)
                return connection.execute(query).scalar_one(), None
            if row.holder.alive:
                raise StudyHeld(row.name, row.holder)
            _end_what_died(connection, study_id)
        values = {"pid": pid, "host": host, "process_start": process_start(pid), "started": now, "beat": now}
        session = connection.execute(
            sessions.insert().values(study_id=study_id, **values).returning(sessions.c.id)
        ).scalar_one()
        connection.execute(
            studies.update().where(studies.c.id == study_id).values(session_id=session, status="running", reason=None)
        )
        return session, row.holder

    def taken(self, study_id: int, session: int) -> None:
        """The transaction that took the study is done."""
        self._sessions[study_id] = session

    def beat(self, connection: sa.Connection, study_id: int) -> None:
        """A sign of life. Raises StudyTaken."""
        self.fence(connection, study_id)
        now, session = self.now(connection), self._sessions[study_id]
        connection.execute(sessions.update().where(sessions.c.id == session, sessions.c.beat < now).values(beat=now))

    def give_back(self, connection: sa.Connection, study_id: int, status: str, reason: str | None) -> None:
        """End the session. A study that another process took over in the meantime is left to it."""
        now, session = self.now(connection), self._sessions[study_id]
        last = sa.case((sessions.c.beat > now, sessions.c.beat), else_=now)
        connection.execute(
            sessions.update()
            .where(sessions.c.id == session, sessions.c.ended.is_(None))
            .values(beat=last, ended=now, end_reason=status)
        )
        connection.execute(
            studies.update()
            .where(studies.c.id == study_id, studies.c.session_id == session)
            .values(session_id=None, status=status, reason=storable(reason))
        )

    def given_back(self, study_id: int) -> None:
        """The transaction that gave the study back is done."""
        del self._sessions[study_id]


_NOW = sa.select(unix_now())


def _taken(connection: sa.Connection, study_id: int) -> StudyTaken:
    row = study_row(connection.execute(STUDIES.where(studies.c.id == study_id)).one())
    return StudyTaken(row.name, row.holder)


def _end_what_died(connection: sa.Connection, study_id: int) -> None:
    """A holder is dead: its session and its attempts ended, as far as is known, with its last sign of life."""
    open_sessions = (sessions.c.study_id == study_id, sessions.c.ended.is_(None))
    last = connection.scalar(sa.select(sa.func.max(sessions.c.beat)).where(*open_sessions))
    connection.execute(END_STUDYS_ATTEMPTS, {"study": study_id, "how": "interrupted", "at": last})
    connection.execute(sessions.update().where(*open_sessions).values(ended=sessions.c.beat, end_reason="interrupted"))
