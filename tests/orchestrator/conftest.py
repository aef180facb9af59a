"""A ledger in each kind of database, where it is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server of our own; skipped where PostgreSQL is not installed."""
    found = [shutil.which("initdb"), *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")))]
    initdb = next(filter(None, found), None)
    if initdb is None or importlib.util.find_spec("psycopg2") is None:
        pytest.skip("no PostgreSQL server or no psycopg2")
    programs = Path(initdb).resolve().parent
    user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    if user:
        shutil.chown(folder, user)

    def call(*command: str | Path) -> None:
        subprocess.run(list(map(str, command)), check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call(programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "tester", "--no-sync")
    options = f"-F -p {port} -k {folder} -c listen_addresses=127.0.0.1"
    call(programs / "pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")
    yield f"postgresql://tester:secret@127.0.0.1:{port}/postgres"
    call(programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a ledger that does not exist yet, as text, for a process to be started with."""
    if request.param == "sqlite":
        return str(tmp_path / "runs" / "ledger.db")
    import psycopg2

    server, name = request.getfixturevalue("postgresql"), f"ledger_{time.time_ns()}"
    with contextlib.closing(psycopg2.connect(server)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {name}")
    return f"{server}?options=-csearch_path%3D{name}"
