"""A ledger in each kind of database, where it is installed; disks that are soon full."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.orchestrator import disks
from tests.orchestrator.command import Started, Tune, end, start


class PostgreSQL:
    """A server of our own, to be stopped and started again. All but `guest` are let in without a password."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
        self._folder = Path(tempfile.mkdtemp(prefix="pg", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        if self._user:
            shutil.chown(self._folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._call("initdb", "-D", self._folder / "data", "-A", "trust", "-U", "tester", "--no-sync")
        rules = self._folder / "data" / "pg_hba.conf"
        rules.write_text("host all guest 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://tester:secret@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-F -p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1"
        data, log = self._folder / "data", self._folder / "log"
        self._call("pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        """At once, as by a loss of power."""
        self._call("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "-w", "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _call(self, program: str, *words: str | Path) -> None:
        command = [str(self._programs / program), *map(str, words)]
        subprocess.run(command, check=True, user=self._user, cwd=self._folder, stdout=subprocess.DEVNULL)


def postgresql_programs() -> Path | None:
    """The folder of its programs, as PATH or Debian's packages have it; None without them or without a driver."""
    found = [shutil.which("initdb"), *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")))]
    initdb = next(filter(None, found), None)
    return Path(initdb).resolve().parent if initdb and importlib.util.find_spec("psycopg2") else None


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """Skipped where PostgreSQL is not installed. A test that stops it starts it again."""
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server or no psycopg2")
    server = PostgreSQL(programs)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgresql(postgresql_server: PostgreSQL) -> str:
    """Its URL."""
    return postgresql_server.url


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


@pytest.fixture
def tune(home: Path, repository: Path) -> Iterator[Tune]:
    """Starts `tune ...`, with variables of the environment as keywords; what is left of it is killed at the end."""
    started: list[Started] = []

    def run(*arguments: str, **environment: str) -> Started:
        started.append(start(repository, arguments, {"NIGHTSWEEP_HOME": str(home)} | environment))
        return started[-1]

    yield run
    for process in started:
        end(process)


@pytest.fixture
def mount_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """`mount_disk("8m")` -> a folder on a disk of that size; skipped where none can be mounted."""
    mounted: list[Path] = []

    def mount(size: str, *options: str) -> Path:
        place = tmp_path / f"disk-{len(mounted)}"
        if not disks.mount(place, size, *options):
            pytest.skip("a file system can be mounted by root only")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        disks.unmount(place)


@pytest.fixture
def fill_disk() -> Callable[[Path], Path]:
    """`fill_disk(folder)` -> a file that takes all that was free; the disk has room again once it is removed."""
    return disks.fill
