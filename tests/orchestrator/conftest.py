"""A ledger in each kind of database, where it is installed; disks that are soon full."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import disks
from tests.harness.command import Started, Tune, end, start
from tests.harness.fake_cluster import FakeCluster
from tests.harness.postgresql import PostgreSQL, postgresql_programs


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


@pytest.fixture
def cluster(tmp_path: Path) -> Callable[..., FakeCluster]:
    """`cluster(budget={"trials": 3})` -> a study in this process, without Ray, with those sections in its file."""
    return lambda **sections: FakeCluster(tmp_path, **sections)
