"""Names the store in which MLflow keeps a home's runs, and shortens its errors."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from orchestrator.errors import NightsweepError
from orchestrator.ledger import LedgerError
from orchestrator.secret import mask

# MLflow then sends no telemetry, and prints nothing about migrations and addresses.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_QUOTED = {ord(sign): f"%{ord(sign):02X}" for sign in "%?#"}  # These have a meaning of their own in an address.


class TrackingError(NightsweepError):
    """Says in one line why MLflow cannot be used now."""


def default_uri(home: Path, spec_uri: str | None) -> str:
    """Returns the study file's tracking.uri, else MLFLOW_TRACKING_URI, else that of a SQLite file in the home."""
    embedded = f"sqlite:///{quoted(home.absolute() / 'mlflow.db')}"
    return spec_uri or os.environ.get("MLFLOW_TRACKING_URI") or embedded


def quoted(file: Path) -> str:
    """Returns the path as it is written in an address."""
    return str(file).translate(_QUOTED)


def is_database(uri: str) -> bool:
    """Returns whether the address is that of a database, not of an MLflow server."""
    return uri.partition("://")[0].partition("+")[0] in _DATABASES


def address(uri: str, generation: int = 0) -> str:
    """Returns `uri` as MLflow is to get it.

    The address of PostgreSQL names the driver that we install, because the default changed in SQLAlchemy 2.1.
    generation: of a SQLite file that was deleted and created again. MLflow keeps its connections by address while the
    process lives, and they keep the deleted file open: another spelling of the same path opens the new file.
    """
    scheme, _, rest = uri.partition("://")
    if scheme in ("postgresql", "postgres") and importlib.util.find_spec("psycopg2"):
        return f"postgresql+psycopg2://{rest}"
    if generation and file_of(uri) is not None:
        head, _, name = uri.rpartition("/")
        return f"{head}/{'./' * generation}{name}"
    return uri


def file_of(uri: str) -> Path | None:
    """Returns the file of a SQLite store; None for another store."""
    scheme, _, path = uri.partition(":///")
    path = unquote(path.partition("?")[0])
    return Path(path) if scheme.partition("+")[0] == "sqlite" and path not in ("", ":memory:") else None


def is_embedded(uri: str, home: Path) -> bool:
    """Returns whether the store is the file in that home."""
    file = file_of(uri)
    return file is not None and file.absolute() == home.absolute() / "mlflow.db"


def identity(uri: str) -> tuple[int, int] | None:
    """Returns (device, inode) of the file of a SQLite store; None where there is no file."""
    file = file_of(uri)
    try:
        status = file.stat() if file else None
    except OSError:
        return None
    return None if status is None else (status.st_dev, status.st_ino)


def artifacts(home: Path) -> str:
    """Returns the address of the folder for artifacts where no server stores them."""
    return (home.absolute() / "mlartifacts").as_uri()


# Errors

# Short messages for errors whose text begins with half a page of addresses and class names.
_GISTS = {
    r"(Connection refused|Connection reset|Connection aborted|Name or service not known)": r"\1",
    r"(Permission denied|disk is full|database is locked|attempt to write a readonly database)": r"\1",
    r"timed out|timeout expired": "timed out",
    r"too many (\d+) error responses|failed with error code (\d+)": r"it answers \1\2",
    r"No module named '(psycopg2?)'": r"needs \1: pip install 'nightsweep[postgres]'",
}


@contextlib.contextmanager
def explaining(uri: str) -> Iterator[None]:
    """Turns what MLflow raises into a TrackingError."""
    try:
        yield
    except (TrackingError, LedgerError):
        raise
    except Exception as error:  # MLflow, its database and the network raise dozens of classes.
        raise TrackingError(f"MLflow at {mask(uri)}: {gist_of(error)}") from error


def gist_of(error: Exception) -> str:
    """Returns the message of an error in one line, without passwords."""
    text = str(error).strip()
    for pattern, gist in _GISTS.items():
        if found := re.search(pattern, text):
            return found.expand(gist)
    # This is SQLAlchemy's advice.
    lines = [line for line in text.splitlines() if not line.startswith("(raised as a result of")]
    return mask(lines[0])[:300] if lines else type(error).__name__
