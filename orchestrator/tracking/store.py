"""Where MLflow keeps the runs of a home, and its pages on this machine."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from orchestrator.errors import NightsweepError
from orchestrator.ledger import LedgerError
from orchestrator.secret import mask

QUIET = {  # no telemetry, no news about migrations and addresses
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_QUOTED = {ord(sign): f"%{ord(sign):02X}" for sign in "%?#"}  # what an address would take for its own


class TrackingError(NightsweepError):
    """MLflow cannot be used just now; one line."""


def default_uri(home: Path, spec_uri: str | None) -> str:
    """The study file's tracking.uri, else MLFLOW_TRACKING_URI, else a SQLite file in the home."""
    embedded = f"sqlite:///{quoted(home.absolute() / 'mlflow.db')}"
    return spec_uri or os.environ.get("MLFLOW_TRACKING_URI") or embedded


def quoted(file: Path) -> str:
    """As it stands in an address."""
    return str(file).translate(_QUOTED)


def is_database(uri: str) -> bool:
    """Is MLflow's database itself named, and not a server before it?"""
    return uri.partition("://")[0].partition("+")[0] in _DATABASES


def address(uri: str, generation: int = 0) -> str:
    """`uri` as MLflow is to be given it.

    PostgreSQL by the driver that we install, because which one stands for none changed in SQLAlchemy 2.1. generation:
    of a SQLite file that was deleted and made anew. MLflow keeps its connections by address for as long as the process
    lives, and the deleted file lives on in them: another spelling of the same path reaches the new one.
    """
    scheme, _, rest = uri.partition("://")
    if scheme in ("postgresql", "postgres") and importlib.util.find_spec("psycopg2"):
        return f"postgresql+psycopg2://{rest}"
    if generation and file_of(uri) is not None:
        head, _, name = uri.rpartition("/")
        return f"{head}/{'./' * generation}{name}"
    return uri


def file_of(uri: str) -> Path | None:
    """The file of a SQLite store."""
    scheme, _, path = uri.partition(":///")
    path = unquote(path.partition("?")[0])
    return Path(path) if scheme.partition("+")[0] == "sqlite" and path not in ("", ":memory:") else None


def identity(uri: str) -> tuple[int, int] | None:
    """Which file it is that a SQLite store has now, whatever its name; None without one."""
    file = file_of(uri)
    try:
        status = file.stat() if file else None
    except OSError:
        return None
    return None if status is None else (status.st_dev, status.st_ino)


def artifacts(home: Path) -> str:
    """Where artifacts go when no server looks after them."""
    return (home.absolute() / "mlartifacts").as_uri()


def serve_ui(uri: str, home: Path, port: int) -> int:
    """MLflow's pages on 127.0.0.1 until Ctrl-C; its exit status. Raises TrackingError if the port is taken."""
    if not is_database(uri):
        print(f"{mask(uri)} is a server with pages of its own: open them there")
        return 0
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            other = port + 1 if port < 65535 else 5000
            raise TrackingError(
                f"--port: must be free, but {port} is not ({error.strerror}); try --port {other}"
            ) from None
    words = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--allowed-hosts", f"127.0.0.1:{port},localhost:{port}"]  # no page elsewhere reaches it by another name
    words += ["--default-artifact-root", artifacts(home), "--artifacts-destination", artifacts(home)]
    # The address goes by the environment: a command line can be read by every user of the machine.
    setting = QUIET | {"MLFLOW_BACKEND_STORE_URI": address(uri), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    print(f"http://127.0.0.1:{port}   Ctrl-C ends it", flush=True)
    # -P: no file of the current folder is taken for a module of MLflow's.
    return subprocess.call([sys.executable, "-P", "-m", "mlflow", "ui", *words], env=os.environ | setting)


# Its errors

_GISTS = {  # of errors that tell it last, after half a page of addresses and class names
    r"(Connection refused|Connection reset|Connection aborted|Name or service not known)": r"\1",
    r"(Permission denied|disk is full|database is locked|attempt to write a readonly database)": r"\1",
    r"timed out|timeout expired": "timed out",
    r"too many (\d+) error responses|failed with error code (\d+)": r"it answers \1\2",
    r"No module named '(psycopg2?)'": r"needs \1: pip install 'nightsweep[postgres]'",
}


@contextlib.contextmanager
def explaining(uri: str) -> Iterator[None]:
    try:
        yield
    except (TrackingError, LedgerError):
        raise
    except Exception as error:  # of MLflow, of its database, of the network: any of dozens of classes
        raise TrackingError(f"MLflow at {mask(uri)}: {gist_of(error)}") from error


def gist_of(error: Exception) -> str:
    """The gist of an error in one line, without passwords."""
    text = str(error).strip()
    for pattern, gist in _GISTS.items():
        if found := re.search(pattern, text):
            return found.expand(gist)
    lines = [line for line in text.splitlines() if not line.startswith("(raised as a result of")]  # SQLAlchemy's advice
    return mask(lines[0])[:300] if lines else type(error).__name__
