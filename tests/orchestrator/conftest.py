"""Provides ledgers in each kind of database that is installed, small disks, and the command."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import disks
from tests.harness.command import Tune, commands
from tests.harness.fake_cluster import FakeCluster
from tests.harness.postgresql import PostgreSQL, postgresql_programs


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """Returns a running server, or skips the test where PostgreSQL is missing. Who stops the server starts it again."""
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server or no psycopg2")
    server = PostgreSQL(programs)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgresql(postgresql_server: PostgreSQL) -> str:
    """Returns the URL of the server."""
    return postgresql_server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Returns the URL, or for SQLite the path, of a ledger that does not exist yet."""
    if request.param == "sqlite":
        return str(tmp_path / "runs" / "ledger.db")
    import psycopg2

    server, name = request.getfixturevalue("postgresql"), f"ledger_{time.time_ns()}"
    with contextlib.closing(psycopg2.connect(server)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {name}")
    return f"{server}?options=-csearch_path%3D{name}"


@pytest.fixture
def tune(home: Path, repository: Path) -> Iterator[Tune]:
    """Returns a function that starts `tune ...` in the repository; keywords are environment variables."""
    with commands(repository, home) as run:
        yield run


@pytest.fixture
def mount_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Returns a function: `mount_disk("8m")` gives a folder on a disk of that size, or skips the test if it may not."""
    mounted: list[Path] = []

    def mount(size: str, *options: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        if not disks.mount(folder, size, *options):
            pytest.skip("a file system can be mounted by root only")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        disks.unmount(folder)


@pytest.fixture
def fill_disk() -> Callable[[Path], Path]:
    """Returns a function: `fill_disk(folder)` writes and returns a file that takes all that was free."""
    return disks.fill


@pytest.fixture
def cluster(tmp_path: Path) -> Callable[..., FakeCluster]:
    """Returns a function: `cluster(budget={"trials": 3})` makes a study without Ray from a file with these sections."""
    return lambda **sections: FakeCluster(tmp_path, **sections)
