"""Sets the scene of a fault: a home, its study file, the processes of its `tune` commands and what they said."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.fault import diary

REPOSITORY = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 240.0  # that a session or an event may take on a busy machine
EPOCHS = 6
SPACE = {"lr": {"low": 1e-4, "high": 1.0, "log": True}, "epochs": EPOCHS, "seconds": 0.3}


class Session:
    """Runs one `tune ...` command."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self.output = output

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def ended(self) -> int:
        """Returns its exit status, once it has come to its own end."""
        try:
            return self.process.wait(LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            raise Stuck(f"a session did not end within {LONGEST_SECONDS:.0f} s; it said:\n{self.said}") from None

    def kill(self) -> None:
        """Sends -9 to the driver alone."""
        self.process.kill()
        self.process.wait()


class Stuck(AssertionError):
    """Says that what had to happen did not, for minutes."""


class Scene:
    """Holds a study of the toy in a folder of its own. sections: of its file, beside or in place of the usual ones."""

    def __init__(
        self,
        folder: Path,
        *,
        home: Path | None = None,
        name: str = "study",
        space: Mapping[str, Any] | None = None,
        **sections: Any,
    ) -> None:
        """Makes the folder. home: None for one in the folder."""
        self.folder = folder
        self.home = home or folder / "runs"
        self.ledger: str | Path = self.home / "ledger.db"
        self.mlflow = self.home / "mlflow.db"
        self.diary = folder / "diary.jsonl"
        self.name = name
        self.sections = {"space": SPACE | dict(space or {})} | sections
        self.environment: dict[str, str] = {}
        self.sessions: list[Session] = []
        folder.mkdir(parents=True)
        self.file = self.write()

    def write(self) -> Path:
        """Writes the study file."""
        document = {
            "study": self.name,
            "trainable": "benchmarks.fault.diary",
            "objective": {"metric": "val/score", "mode": "max"},
            "data": {"diary": str(self.diary)},
            "budget": {"trials": 6},
            "scheduler": {"name": "none"},
            "resources": {"gpu": 0, "cpu": 1, "concurrent": 2},
            "checkpoints": {"reserve_gb": 0.001},
        }
        path = self.folder / f"{self.name}.yaml"
        path.write_text(yaml.safe_dump(document | self.sections, sort_keys=False))
        return path

    @property
    def trials(self) -> int:
        """Returns how many its budget allows."""
        return self.sections.get("budget", {"trials": 6})["trials"]

    def start(self, *words: str, pipe: subprocess.Popen[bytes] | None = None) -> Session:
        """Starts `tune run` with further words. pipe: the process that reads what it prints."""
        return self.tune("run", str(self.file), "--skip-preflight", *words, pipe=pipe)

    def finish(self, *words: str) -> Session:
        """Runs `tune run` until it has ended by itself."""
        session = self.start(*words)
        session.ended()
        return session

    def tune(self, *words: str, pipe: subprocess.Popen[bytes] | None = None) -> Session:
        output = self.folder / f"session-{len(self.sessions):02d}.txt"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "tune", *words],
                cwd=REPOSITORY,
                env=os.environ | {"NIGHTSWEEP_HOME": str(self.home)} | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stream if pipe is None else pipe.stdin,
                stderr=stream,
                start_new_session=True,
            )
        if pipe is not None and pipe.stdin is not None:
            pipe.stdin.close()
        self.sessions.append(Session(process, output))
        return self.sessions[-1]

    def begun(self) -> list[diary.Begun]:
        return diary.read(self.diary)

    def wait_for(self, happened: Callable[[], Any], what: str, session: Session | None = None) -> Any:
        """Returns what `happened` returns once it is true. Raises Stuck, also when `session` ends before."""
        until = time.monotonic() + LONGEST_SECONDS
        while not (found := happened()):
            if session is not None and session.over:
                raise Stuck(f"it ended before {what}; it said:\n{session.said}")
            if time.monotonic() > until:
                said = self.sessions[-1].said if self.sessions else ""
                raise Stuck(f"no {what} within {LONGEST_SECONDS:.0f} s; the last session said:\n{said}")
            time.sleep(0.02)
        return found

    def wait_for_epochs(self, more: int, session: Session) -> None:
        """Waits until so many more epochs have begun."""
        before = len(self.begun())
        self.wait_for(lambda: len(self.begun()) >= before + more, f"{more} further epochs", session)

    def clear(self) -> None:
        """Ends what still runs."""
        for session in self.sessions:
            if not session.over:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(session.process.pid, signal.SIGKILL)
                session.process.wait()


# The machine


def settle_environment() -> None:
    """Removes what the user set for studies of their own: it is not for these."""
    for name in ("NIGHTSWEEP_HOME", "NIGHTSWEEP_LEDGER", "NIGHTSWEEP_NOTIFY", "MLFLOW_TRACKING_URI", "RAY_ADDRESS"):
        os.environ.pop(name, None)
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", RAY_USAGE_STATS_ENABLED="0")


@contextlib.contextmanager
def ray_of_our_own() -> Iterator[Path]:
    """Gives the studies that run here a cluster apart from the user's; it is ended with them."""
    root = Path(tempfile.mkdtemp(prefix="ns-", dir="/tmp"))  # short: the paths of sockets may not be long
    os.environ["RAY_TMPDIR"] = str(root)  # of this process and of those that it starts
    try:
        yield root
    finally:
        for host in hosts():
            with contextlib.suppress(psutil.NoSuchProcess):
                host.terminate()
                host.wait(30)
        shutil.rmtree(root, ignore_errors=True)


def hosts() -> list[psutil.Process]:
    """Returns the processes that own the clusters of this benchmark."""
    found = []
    for file in Path(os.environ["RAY_TMPDIR"]).glob("nightsweep-*/*/cluster.json"):
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ValueError):
            found.append(psutil.Process(json.loads(file.read_text())["pid"]))
    return found


def ray_processes(name: str = "") -> list[psutil.Process]:
    """Returns all that the hosts have started, or those of them whose program is called so: raylet, gcs_server."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = [child for host in hosts() for child in host.children(recursive=True)]
        return [child for child in children if name in _program(child)]
    return []


def kill(processes: list[psutil.Process]) -> None:
    """Sends -9 to all of them at once."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _program(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""
