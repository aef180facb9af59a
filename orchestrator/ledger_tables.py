"""The ledger's tables, how its database is opened and made, and what its errors say."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from orchestrator.trial import State

VERSION = 1  # of the tables; a ledger of a later one is refused
STATUSES = ("running", "paused", "finished", "interrupted", "failed")
BUSY_SECONDS = 30.0  # how long a writer waits for another


class LedgerError(Exception):
    """The ledger cannot be used, or not for this; one line: where, what must hold, what came, what to do."""


def _one_of(column: str, words: tuple[str, ...]) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({', '.join(repr(str(word)) for word in words)})")


_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # only INTEGER counts itself up in SQLite
metadata = sa.MetaData()

schema = sa.Table("nightsweep_schema", metadata, sa.Column("version", sa.Integer, nullable=False))

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uid", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("raw", sa.Text, nullable=False),  # JSON
    sa.Column("metric", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, _one_of("mode", ("max", "min")), nullable=False),
    sa.Column("status", sa.Text, _one_of("status", STATUSES), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),  # JSON
    sa.Column("session_id", sa.Integer),  # of the holder; null when nobody runs the study
    sa.Column("mlflow_uri", sa.Text),  # a digest: the ids below count in that store only
    sa.Column("mlflow_experiment_id", sa.Text),
    sa.Column("mlflow_run_id", sa.Text),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.id"), nullable=False, index=True),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("process_start", sa.Double),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("beat", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("end_reason", sa.Text),
    sa.CheckConstraint("beat >= started"),
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.id"), nullable=False),
    sa.Column("number", sa.Integer, sa.CheckConstraint("number >= 1"), nullable=False),
    sa.Column("config", sa.Text, nullable=False),  # JSON
    sa.Column("config_digest", sa.Text, nullable=False),
    sa.Column("baseline", sa.Text),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, _one_of("state", tuple(State)), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("test", sa.Text),  # JSON
    sa.Column("facts", sa.Text, nullable=False),  # JSON
    sa.Column("attempts", sa.Integer, sa.CheckConstraint("attempts >= 1"), nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("revision", sa.Integer, nullable=False),  # counts every write to the trial or its reports
    sa.Column("mlflow_run_id", sa.Text),
    sa.Column("mlflow_revision", sa.Integer, nullable=False),  # what MLflow has seen of it
    sa.Column("mlflow_status", sa.Text),
    sa.UniqueConstraint("study_id", "number"),
    sa.UniqueConstraint("study_id", "config_digest", "seed"),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("trial_id", sa.ForeignKey("trials.id"), primary_key=True),
    sa.Column("number", sa.Integer, sa.CheckConstraint("number >= 1"), primary_key=True),
    sa.Column("from_epoch", sa.Integer, sa.CheckConstraint("from_epoch >= 0"), nullable=False),  # 0: from the beginning
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("outcome", sa.Text, _one_of("outcome", (*(s for s in State if s is not State.RUNNING), "interrupted"))),
)

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("sequence", _BIG, primary_key=True),
    sa.Column("trial_id", sa.ForeignKey("trials.id"), nullable=False),
    sa.Column("epoch", sa.Integer, sa.CheckConstraint("epoch >= 1"), nullable=False),
    sa.Column("metrics", sa.Text, nullable=False),  # JSON, with NaN and Infinity
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("checkpoint", sa.Integer, sa.CheckConstraint("checkpoint IN (0, 1)"), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),  # the trial's, when this was written
    sa.UniqueConstraint("trial_id", "epoch"),
)


# Opening


def open_database(url: str | Path) -> tuple[sa.Engine, str]:
    """An engine over the ledger's database, made if absent, and its name as shown to people. Raises LedgerError.

    url: a file, or `sqlite:///FILE`, or `postgresql://USER:PASSWORD@HOST/DATABASE`. Transactions of the engine read;
    those of `engine.execution_options(write=True)` take SQLite's write lock as they begin, so that nothing that they
    read can change before they write.
    """
    address = _address(url)
    shown = _shown(address)
    try:
        engine = _sqlite(address) if address.get_backend_name() == "sqlite" else _postgresql(address)
        _check_or_make(engine, shown)
    except ModuleNotFoundError as error:
        raise LedgerError(f"{shown}: needs the package {error.name}; pip install 'nightsweep[postgres]'") from error
    except OSError as error:
        raise LedgerError(
            f"{shown}: its folder must be writable, but {error.strerror}; name another with --home"
        ) from error
    except sa.exc.SQLAlchemyError as error:
        raise explained(error, shown) from error
    return engine, shown


def explained(error: sa.exc.SQLAlchemyError, shown: str) -> LedgerError:
    """What a database error means to the person who runs `tune`."""
    cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    if "not a database" in cause or "malformed" in cause:
        return LedgerError(f"{shown}: must be a nightsweep ledger, but {cause}; move it aside")
    if "disk is full" in cause:
        return LedgerError(
            f"{shown}: has no room left to write; free some, then start again: all reports before are safe"
        )
    if "readonly" in cause or "unable to open" in cause:
        return LedgerError(
            f"{shown}: must be a file that can be read and written, but {cause}; see ls -l, or use --home"
        )
    if "locked" in cause:
        return LedgerError(
            f"{shown}: another process kept it locked for {BUSY_SECONDS:.0f} s; find it with fuser {shown}"
        )
    return LedgerError(f"{shown}: cannot be used: {cause}")


def _address(url: str | Path) -> sa.URL:
    if isinstance(url, Path) or "://" not in url:
        return sa.URL.create("sqlite", database=str(Path(url).expanduser().absolute()))
    try:
        address = sa.make_url(url.replace("postgres://", "postgresql://", 1))
    except sa.exc.ArgumentError:
        raise LedgerError(
            "the ledger's URL must look like postgresql://USER@HOST/DATABASE, but cannot be read"
        ) from None
    if address.get_backend_name() not in ("sqlite", "postgresql"):
        raise LedgerError(f"{_shown(address)}: must be SQLite or PostgreSQL, but is {address.get_backend_name()}")
    return address


def _shown(address: sa.URL) -> str:
    if address.get_backend_name() != "sqlite" or not address.database:
        return address.render_as_string(hide_password=True)
    path, current = Path(address.database), Path.cwd()
    return str(path.relative_to(current)) if path.is_relative_to(current) else str(path)


def _sqlite(address: sa.URL) -> sa.Engine:
    Path(address.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(address, connect_args={"timeout": BUSY_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # `begin` below begins, not the driver
        connection.execute("PRAGMA foreign_keys = ON")
        # A report makes its checkpoint count and the one before go: were it lost with the power, neither would be left.
        connection.execute("PRAGMA synchronous = FULL")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.execute("BEGIN IMMEDIATE" if connection.get_execution_options().get("write") else "BEGIN")

    return engine


def _postgresql(address: sa.URL) -> sa.Engine:
    return sa.create_engine(address, pool_pre_ping=True, connect_args={"connect_timeout": 10})


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


def _make(engine: sa.Engine) -> None:
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    with engine.execution_options(write=True).begin() as connection:
        if engine.dialect.name == "postgresql":  # two first starts at once: one makes, the other finds
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(783927)"))
        metadata.create_all(connection)
        if connection.scalar(sa.select(schema.c.version)) is None:
            connection.execute(schema.insert().values(version=VERSION))


def _use_wal(engine: sa.Engine) -> None:
    """Readers and the writer do not wait for each other. Kept in the file; where it cannot be, all else still holds."""
    deadline = time.monotonic() + BUSY_SECONDS
    while time.monotonic() < deadline:  # SQLite does not wait here when two processes make one file
        with contextlib.suppress(sa.exc.OperationalError), engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.execute("PRAGMA journal_mode = WAL")
            return
        time.sleep(0.02)


# Values


def to_json(value: Any) -> str:
    """ASCII text that from_json reads back equal, but for tuples, which become lists. Takes NumPy's numbers too."""
    return json.dumps(_plain(value), separators=(",", ":"), default=_item)


def from_json(text: str) -> Any:
    return json.loads(text, object_hook=_unpaired if '"$pairs"' in text else None)


def storable(text: str | None) -> str | None:
    """Text that both databases take: no NUL, no halves of characters."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def _plain(value: Any) -> Any:
    """JSON turns the keys of {1: 640, 5: 960} into text; as pairs they stay numbers."""
    if isinstance(value, Mapping):
        plain = {key: _plain(part) for key, part in value.items()}
        return (
            plain if all(isinstance(key, str) for key in plain) else {"$pairs": [list(pair) for pair in plain.items()]}
        )
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _unpaired(value: dict[str, Any]) -> dict[Any, Any]:
    return dict(value["$pairs"]) if value.keys() == {"$pairs"} else value


def _item(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a ledger holds text, numbers, true, false, null, lists and mappings, but got {value!r}")
