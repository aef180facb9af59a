"""Runs `tune ...` as a user types it, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import typer

from tune.command import app

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


def parsed(line: str) -> tuple[str, dict[str, Any]]:
    """Parses one command by the program's own parser, and runs nothing; returns the verb and its parameters.

    Fails for what the program would refuse.
    """
    program, verb, *words = shlex.split(line)
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # It is a group.
    assert program in ("tune", "nightsweep") and verb in known, line
    with known[verb].make_context(verb, words) as context:
        return verb, dict(context.params)


def commands_in(text: str) -> list[str]:
    """Returns every command that a text proposes: each ends at its line's end, a backtick, `&&` or some prose."""
    found = re.findall(r"(?<![\w/-])((?:tune|nightsweep) [a-z]+(?: [^\n`]*)?)", text)
    ends = r"\s&&\s|\s{2,}|[;,] |\.$"
    pieces = [piece for line in found for piece in re.split(r"\s&&\s", line)]
    return [re.split(ends, piece)[0].strip() for piece in pieces if re.match(r"tune|nightsweep", piece.strip())]
