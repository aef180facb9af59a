"""Starts a PostgreSQL server that belongs to the tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.harness.free_port import free_port


class PostgreSQL:
    """Holds a server that can be stopped and started again. Only the user `guest` needs a password."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root.
        self._folder = Path(tempfile.mkdtemp(prefix="pg", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        if self._user:
            shutil.chown(self._folder, self._user)
        self.port = free_port()
        self._call("initdb", "-D", self._folder / "data", "-A", "trust", "-U", "tester", "--no-sync")
        rules = self._folder / "data" / "pg_hba.conf"
        rules.write_text("host all guest 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        self.start()

    @property
    def url(self) -> str:
        """Returns the address of its database `postgres`."""
        return f"postgresql://tester:secret@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Starts the server; returns once it accepts connections."""
        options = f"-F -p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1"
        data, log = self._folder / "data", self._folder / "log"
        self._call("pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        """Stops the server at once, as a loss of power would."""
        self._call("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "-w", "stop")

    def remove(self) -> None:
        """Stops the server and deletes its files."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _call(self, program: str, *words: str | Path) -> None:
        command = [str(self._programs / program), *map(str, words)]
        subprocess.run(command, check=True, user=self._user, cwd=self._folder, stdout=subprocess.DEVNULL)


def postgresql_programs() -> Path | None:
    """Returns the folder of PostgreSQL's programs, on PATH or as Debian installs them; None without it or psycopg2."""
    found = [shutil.which("initdb"), *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")))]
    initdb = next(filter(None, found), None)
    return Path(initdb).resolve().parent if initdb and importlib.util.find_spec("psycopg2") else None
