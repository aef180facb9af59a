"""Runs `tune ...` as a user types it, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

Started = subprocess.Popen[str]
Tune = Callable[..., Started]


def start(repository: Path, arguments: Sequence[str], environment: dict[str, str], stderr: int = PIPE) -> Started:
    """Starts `tune ARGUMENTS` in a process group of its own, so that a signal to the group reaches nothing else."""
    return subprocess.Popen(
        [sys.executable, "-m", "tune", *arguments],
        cwd=repository,
        env=os.environ | environment,
        stdout=PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )


@contextmanager
def commands(folder: Path, home: Path) -> Iterator[Tune]:
    """Yields a function that starts `tune ...` in the folder; keywords are environment variables.

    What still runs at the end is killed.
    """
    started: list[Started] = []

    def run(*arguments: str, **environment: str) -> Started:
        started.append(start(folder, arguments, {"NIGHTSWEEP_HOME": str(home)} | environment))
        return started[-1]

    yield run
    for process in started:
        end(process)


def end(process: Started) -> None:
    """Kills the process and its children, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ended(process: Started) -> tuple[int, str, str]:
    """Waits for the end of the process; returns its exit code, standard output and standard error."""
    out, err = process.communicate(timeout=200)
    return process.returncode, out, err


def shown(tune: Tune, study: str = "toy") -> dict[str, Any]:
    """Returns what `tune show STUDY --json --history` prints."""
    code, out, err = ended(tune("show", study, "--json", "--history"))
    assert code == 0, err
    return json.loads(out)
