"""Starts the process in which trials run, from the worker of Ray: one attempt after another.

It is an ordinary Python process: it stands where `tune` was started, has never seen Ray, and its parent learns how it
ended. A trainable can harm nothing but its own process.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from orchestrator.home import trial_directory
from orchestrator.job import Ended, Job, Silence, Workplace
from orchestrator.trial import Report
from orchestrator.worker.death import why_ended

POLL_SECONDS = 0.2  # Between two looks whether a process that is silent still runs.
END_SECONDS = 10.0  # A process gets so long to come to its end, with what its libraries do then.
_OUR_FOLDER = str(Path(__file__).parents[2])  # It holds our packages.
_PROGRAM = (
    "import json, sys; words = sys.argv[1:]; sys.path[:], sys.argv[:] = json.loads(words[0]); "
    "from orchestrator.worker.trial_main import main; main(int(words[1]), int(words[2]))"
)


@dataclass(frozen=True)
class Begin:
    """Begins an attempt. It has no answer."""

    job: Job
    workplace: Workplace


@dataclass(frozen=True)
class Step:
    """Asks for the next report, or the end; the answer is a Said."""


@dataclass(frozen=True)
class Close:
    """Ends the attempt and puts everything back; the answer is why the process cannot be used again, or None."""


Request = Begin | Step | Close


@dataclass(frozen=True)
class Said:
    """Answers a Step. facts: what the ledger should know of the attempt."""

    said: Report | Ended
    facts: Mapping[str, str]


class TrialProcess:
    """Starts a process for attempts and asks it for their reports; says how it ended if it did."""

    def __init__(self, job: Job, workplace: Workplace) -> None:
        """Starts the process, and the attempt in it."""
        log = trial_directory(Path(workplace.study_directory), job.number) / "log.txt"
        ours, theirs = socket.socketpair()
        start = workplace.start
        paths = [_OUR_FOLDER, *(path for path in (*start.python_path, *sys.path) if path)]
        words = [json.dumps([list(dict.fromkeys(paths)), [start.program]]), str(os.getpid()), str(theirs.fileno())]
        environment = dict(os.environ)
        environment.pop("PYTHONPATH", None)
        with ours, theirs, _opened(log) as output:
            self._process = subprocess.Popen(
                # -P: nothing in the current folder takes the place of a module that starts it.
                [sys.executable, "-P", "-c", _PROGRAM, *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment | ({} if start.pythonpath is None else {"PYTHONPATH": start.pythonpath}),
                cwd=start.folder if Path(start.folder).is_dir() else workplace.study_directory,
                umask=start.umask,
                start_new_session=True,  # What it starts can be ended with it.
                pass_fds=[theirs.fileno()],
            )
            self._connection = Connection(os.dup(ours.fileno()))
        self.begin(job, workplace)

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self, job: Job, workplace: Workplace) -> None:
        """Begins another attempt, once the one before is closed."""
        self._silence: Silence | None = job.silence
        self._log = trial_directory(Path(workplace.study_directory), job.number) / "log.txt"
        self._trusted = not workplace.fresh_process
        with suppress(OSError):  # It has died; the first step says so.
            self._connection.send(Begin(job, workplace))

    def step(self) -> Said:
        """Returns the next report of the attempt, or how it ended, the death of its process included."""
        asked = time.monotonic()
        try:
            self._connection.send(Step())
            answer: Said = self._receive()
        except (EOFError, OSError):
            self._trusted = False
            code, seconds = self._ended(), time.monotonic() - asked
            return Said(Ended(why_ended(code, seconds, self._silence, self._log)), {})
        if isinstance(answer.said, Report):
            if self._silence is not None:
                self._silence = self._silence.after(answer.said.seconds)
        elif answer.said.failure is not None:
            self._trusted = False  # A process in which a trial failed is not trusted with another.
        return answer

    def close(self) -> bool:
        """Ends the attempt; returns whether the process can be used for another. If not, it has ended."""
        try:
            self._connection.send(Close())
            patience = 0.0 if self._silence is None else self._silence.limit
            kept = self._receive(patience + END_SECONDS) is None
        except (EOFError, OSError):
            kept = False
        if kept and self._trusted:
            return True
        self.end()
        return False

    def end(self) -> None:
        """Lets the process come to its end, and ends it with all that it has started."""
        self._connection.close()
        self._ended()

    def _receive(self, patience: float = math.inf) -> Any:
        """Returns an answer. Raises EOFError where the process has ended, or does not answer within `patience` seconds.

        The connection alone does not tell: processes that were forked from that one may hold its end of it.
        """
        until = time.monotonic() + patience
        while not self._connection.poll(POLL_SECONDS):
            if self._is_over() and not self._connection.poll(0):
                raise EOFError
            if time.monotonic() > until:
                raise EOFError
        return self._connection.recv()

    def _is_over(self) -> bool:
        """Tells whether the process has ended; its number and its group's stay its own until it is waited for."""
        if self._process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _ended(self) -> int:
        """Waits for the end of the process, kills what it left behind; returns its exit code, or minus the signal."""
        if self._process.returncode is None:
            until = time.monotonic() + END_SECONDS
            while not self._is_over():
                if time.monotonic() > until:
                    self._process.kill()
                time.sleep(0.01)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()


@contextmanager
def _opened(log: Path) -> Iterator[int]:
    """Opens the log for what a process prints before it does so itself; nothing takes its place where that fails."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:
        yield subprocess.DEVNULL
        return
    try:
        yield file
    finally:
        os.close(file)


def end_with(parent: int) -> None:
    """Lets the kernel end this process when its parent ends, whatever this one is doing; makes orphans ours."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    libc.prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: what a trainable starts and forgets can be found.
    if os.getppid() != parent:  # It has ended before.
        os._exit(1)
