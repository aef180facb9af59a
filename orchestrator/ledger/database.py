"""Opens, makes, reads and writes the ledger's database, and says what its errors mean."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from orchestrator.ledger.errors import BUSY_SECONDS, BadAddress, LedgerError, explained
from orchestrator.ledger.migrations import VERSION, migrate
from orchestrator.ledger.tables import metadata, schema
from orchestrator.secret import mask

# A server that vanished without a word is noticed within half a minute.
_ALIVE = {"connect_timeout": 10, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
_ALIVE["tcp_user_timeout"] = 30_000  # ms


class Database:
    """Holds the tables in SQLite or PostgreSQL, made if absent. shown: its name as people know it.

    url: a file, or `sqlite:///FILE`, or `postgresql://USER:PASSWORD@HOST/DATABASE`. Whatever goes wrong with the
    database is raised as LedgerError.
    """

    def __init__(self, url: str | Path) -> None:
        self.url = url
        self._address = address = address_of(url)
        self.shown = _shown(address)
        self.dialect = address.get_backend_name()
        with self._explaining():
            engine = _sqlite(address) if self.dialect == "sqlite" else _postgresql(address)
            _check_or_make(engine, self.shown)
        self._engine = engine
        self._reader = (
            engine if self.dialect == "sqlite" else engine.execution_options(isolation_level="REPEATABLE READ")
        )
        self._writer = engine.execution_options(write=True)
        self._lazy_writer = engine.execution_options(write=True, lazy=True)

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Yields a transaction that sees everything as it was at one instant, whatever others write meanwhile."""
        with self._explaining(), self._reader.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self, *, lazy: bool = False) -> Iterator[sa.Connection]:
        """Yields a transaction that is kept whole or not at all, and SQLite's only one from its beginning.

        lazy: a loss of power may undo it (never a crash), which spares SQLite the wait for the disk.
        """
        with self._explaining(), (self._lazy_writer if lazy else self._writer).begin() as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except ModuleNotFoundError as error:
            raise LedgerError(f"{self.shown}: needs {error.name}: pip install 'nightsweep[postgres]'") from error
        except OSError as error:
            raise LedgerError(f"{self.shown}: must be in a folder that can be written, but {error.strerror}") from error
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            raise explained(error, self._address, self.shown) from error


def address_of(url: str | Path) -> sa.URL:
    """Returns the parts of a ledger's address. Raises BadAddress."""
    if isinstance(url, Path) or "://" not in url:
        return sa.URL.create("sqlite", database=str(Path(url).expanduser().absolute()))
    try:
        address = sa.make_url(url.replace("postgres://", "postgresql://", 1))
    except (sa.exc.ArgumentError, ValueError):  # the latter for a port that is no number
        raise BadAddress("the ledger must be a file or postgresql://USER@HOST/DATABASE, but is neither") from None
    kind = address.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise BadAddress(f"{_shown(address)}: must be SQLite or PostgreSQL, but is {kind}")
    return address


def _shown(address: sa.URL) -> str:
    if address.get_backend_name() != "sqlite" or not address.database:
        return mask(address.render_as_string(hide_password=True))  # ?password=... is one, too
    path, current = Path(address.database), Path.cwd()
    return str(path.relative_to(current)) if path.is_relative_to(current) else str(path)


def _sqlite(address: sa.URL) -> sa.Engine:
    Path(address.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(address, connect_args={"timeout": BUSY_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # `begin` below begins, not the driver
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        options, raw = connection.get_execution_options(), connection.connection.dbapi_connection
        assert raw is not None
        raw.execute(f"PRAGMA synchronous = {'NORMAL' if options.get('lazy') else 'FULL'}")
        raw.execute("BEGIN IMMEDIATE" if options.get("write") else "BEGIN")

    return engine


def _postgresql(address: sa.URL) -> sa.Engine:
    if "+" not in address.drivername:  # which driver stands for none changed in SQLAlchemy 2.1
        address = address.set(drivername="postgresql+psycopg2")
    return sa.create_engine(address, pool_pre_ping=True, connect_args=_ALIVE)


def _check_or_make(engine: sa.Engine, shown: str) -> None:
    with engine.connect() as connection:
        tables = set(sa.inspect(connection).get_table_names())
    if schema.name not in tables:
        if tables & set(metadata.tables) or (tables and engine.dialect.name == "sqlite"):
            named = ", ".join(sorted(tables)[:3])
            raise LedgerError(f"{shown}: must be a nightsweep ledger, but holds other tables ({named}); move it aside")
        _make(engine)
    with engine.connect() as connection:
        version = connection.scalar(sa.select(schema.c.version)) or 0
    if version > VERSION:
        raise LedgerError(
            f"{shown}: must be of version {VERSION} or before, but a later nightsweep made it (version {version}); "
            "upgrade with pip install -U nightsweep, or use another --home"
        )
    if version < VERSION:
        _upgrade(engine)


def _make(engine: sa.Engine) -> None:
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    with engine.execution_options(write=True).begin() as connection:
        if engine.dialect.name == "postgresql":  # two first starts at once: one makes, the other finds
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(783927)"))
        metadata.create_all(connection)
        if connection.scalar(sa.select(schema.c.version)) is None:
            connection.execute(schema.insert().values(version=VERSION))


def _upgrade(engine: sa.Engine) -> None:
    """Makes all or nothing; of several processes that come at once, one does it."""
    with engine.execution_options(write=True).begin() as connection:
        version = connection.scalar(sa.select(schema.c.version).with_for_update()) or 0
        migrate(connection, version)
        connection.execute(schema.update().values(version=max(version, VERSION)))


def _use_wal(engine: sa.Engine) -> None:
    """Readers and the writer do not wait for each other. Kept in the file; where it cannot be, all else still holds."""
    deadline = time.monotonic() + BUSY_SECONDS
    while time.monotonic() < deadline:  # SQLite does not wait here when two processes make one file
        with contextlib.suppress(sa.exc.OperationalError, sqlite3.OperationalError), engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.execute("PRAGMA journal_mode = WAL")
            return
        time.sleep(0.02)
