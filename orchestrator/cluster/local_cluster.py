"""Finds or starts the one Ray cluster of a machine and user, which all studies share and which ends after the last.

A small process, the host (ray_host.py), owns the cluster. Whatever must end with a process is a flock, which the kernel
releases however the process ends:

    /tmp/nightsweep-UID/          mode 0700; below RAY_TMPDIR instead of /tmp where that is set
        auth_token                Ray asks every client for it
        start.lock                locked by the process that starts a cluster or removes the remains of one
        KEY-XXXXXXXX/             one cluster; locked by its host
            cluster.json          its address, once it listens there
            users                 locked, shared, by each driver that uses the cluster
            session/              Ray's own files
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

from orchestrator.cluster import ray_host
from orchestrator.cluster.ray_host import has_sockets, try_lock

LINGER_SECONDS = 10.0  # After its last user has left, so that the next `tune run` finds the cluster ready.
START_SECONDS = 120.0  # Enough on a machine that is busy with other work.
LOCK_SECONDS = 30.0  # beyond START_SECONDS, for another process to start one


class HostFailed(RuntimeError):
    """Says in one line why the cluster of this machine could not be started."""


@dataclass(frozen=True)
class LocalCluster:
    """Names the cluster that a driver uses.

    address: 127.0.0.1:port. environment: of the host, and therefore of every worker.
    """

    address: str
    directory: Path
    environment: Mapping[str, str]
    _folder: int  # The open descriptor of the directory, which the host keeps locked.

    def lost(self) -> bool:
        """Returns whether the cluster, its host or its folder is gone. It costs three system calls."""
        if not (self.directory / "cluster.json").exists() or not has_sockets(self.directory):
            return True
        if not try_lock(self._folder, fcntl.LOCK_SH):
            return False
        fcntl.flock(self._folder, fcntl.LOCK_UN)
        return True


@contextmanager
def use_cluster(
    environment: Mapping[str, str],
    linger: float = LINGER_SECONDS,
    waits: Callable[[float, str], None] = lambda seconds, what: None,
) -> Iterator[LocalCluster]:
    """Yields this machine's cluster for the Python that runs now; starts one if there is none. Raises HostFailed.

    environment: of a cluster that is started, and so of its workers. linger: seconds that it outlives its last user.
    waits: is called several times a second while this waits, with the seconds that it has waited and for what; whatever
    it raises ends the waiting.
    """
    root, key = _root(environment), _key(environment)
    found = None
    with _Lock(root / "start.lock") as lock:
        until = START_SECONDS + LOCK_SECONDS
        for seconds in _pauses():
            if lock.take():
                _remove_the_dead(root)
            # While another process starts a cluster, one may be usable already: its host may be up, and the process
            # suspended.
            found = _find(root, key)
            if found is not None or lock.taken:
                break
            waits(seconds, f"{lock.holder}, which starts Ray")
            if seconds > until:
                raise HostFailed(f"{lock.holder} has been starting it for {until:.0f} s by now; {lock.advice}")
        if found is None:
            directory = Path(tempfile.mkdtemp(prefix=f"{key}-", dir=root))
            found = directory, _start(directory, environment, linger, waits)
    directory, users = found
    folder = os.open(directory, os.O_RDONLY)
    try:
        cluster = json.loads((directory / "cluster.json").read_text())
        yield LocalCluster(cluster["address"], directory, psutil.Process(cluster["pid"]).environ(), folder)
    except (FileNotFoundError, psutil.Error) as error:  # It died meanwhile.
        raise HostFailed(f"the Ray of {directory} has just ended: {error}") from error
    finally:
        os.close(folder)
        os.close(users)


def _find(root: Path, key: str) -> tuple[Path, int] | None:
    """Returns a cluster that takes work, with its users file, locked."""
    for directory in sorted(root.glob(f"{key}-*")):
        users = _use_existing(directory)
        if users is not None:
            return directory, users
    return None


def _pauses() -> Iterator[float]:
    """Yields the seconds since the first time, at once and then after each short pause."""
    began = time.monotonic()
    while True:
        yield time.monotonic() - began
        time.sleep(0.1)


def _root(environment: Mapping[str, str]) -> Path:
    """Returns the folder of this user's clusters, in which nobody else may put a cluster. Raises HostFailed."""
    path = Path(environment.get("RAY_TMPDIR") or "/tmp") / f"nightsweep-{os.getuid()}"
    with suppress(FileExistsError):
        path.mkdir(mode=0o700, parents=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise HostFailed(
            f"{path} must be a folder that belongs to you and that nobody else can open (0700), but it is "
            f"{stat.filemode(found.st_mode)} of user {found.st_uid}; remove it, or export RAY_TMPDIR=/a/folder/of/yours"
        )
    return path


def token_file(environment: Mapping[str, str]) -> Path:
    """Returns the file with the token that Ray asks every client for, made if absent; nobody else can read it.

    It lies beside the clusters, because a home may be read-only, or another one in the next start of the same user.
    Raises HostFailed.
    """
    file = _root(environment) / "auth_token"
    if not file.exists():
        descriptor, new = tempfile.mkstemp(dir=file.parent)  # for this user only
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_hex(32))
        with suppress(FileExistsError):  # of two drivers that make it at once, the first
            os.link(new, file)
        os.unlink(new)
    return file


def _key(environment: Mapping[str, str]) -> str:
    """Returns a hash of what drivers of one cluster have in common: Python, Ray, visible GPUs, token, container."""
    spaces = [os.readlink(f"/proc/self/ns/{name}") for name in ("net", "mnt", "pid")]
    values = [environment.get(name) for name in ("CUDA_VISIBLE_DEVICES", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")]
    common = [sys.executable, metadata.version("ray"), *values, *spaces]
    return hashlib.sha256(json.dumps(common).encode()).hexdigest()[:8]


def _use_existing(directory: Path) -> int | None:
    """Returns the cluster's users file, locked; None where the cluster is ending or never started."""
    with suppress(OSError):
        users = os.open(directory / "users", os.O_RDWR)
        for _ in range(10):  # The host locks it for an instant to see whether anybody else does.
            if try_lock(users, fcntl.LOCK_SH):
                if (directory / "cluster.json").exists():
                    return users
                break
            time.sleep(0.05)
        os.close(users)
    return None


def _start(directory: Path, environment: Mapping[str, str], linger: float, waits: Callable[[float, str], None]) -> int:
    """Starts the host, and waits until its cluster takes work; returns the users file, locked. Raises HostFailed."""
    users = os.open(directory / "users", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(users, fcntl.LOCK_SH)
    lock = os.open(directory, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # The host inherits the descriptor, and with it the lock.
    said = directory / "host.log"
    with said.open("wb") as log:
        host = subprocess.Popen(
            [sys.executable, "-P", ray_host.__file__, str(directory), str(lock), str(linger)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
            pass_fds=[lock],
        )
    os.close(lock)
    began = time.monotonic()
    try:
        while not (directory / "cluster.json").exists():
            if host.poll() is not None:
                lines = [line.strip() for line in said.read_text(errors="replace").splitlines() if line.strip()]
                raise HostFailed(lines[-1][:300] if lines else f"its host ended with code {host.returncode}")
            seconds = time.monotonic() - began
            waits(seconds, "Ray to start")
            if seconds > START_SECONDS:
                raise HostFailed(f"it took no work within {START_SECONDS:g} s")
            time.sleep(0.02)
    except BaseException:
        host.kill()  # The kernel then ends what it has started.
        host.wait()
        shutil.rmtree(directory, ignore_errors=True)
        os.close(users)
        raise
    return users


def _remove_the_dead(root: Path) -> None:
    """Removes the remains of clusters whose host was killed, which are not locked. The caller has locked start.lock."""
    for directory in root.iterdir():
        if not directory.is_dir():
            continue
        lock = os.open(directory, os.O_RDONLY)
        if try_lock(lock, fcntl.LOCK_EX):
            shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


class _Lock:
    """Locks a file for as long as the block lasts, once no other process does, and tells which one does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.taken = False

    def __enter__(self) -> _Lock:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        return self

    def __exit__(self, *raised: object) -> None:
        os.close(self._descriptor)

    def take(self) -> bool:
        """Takes it if that is possible now; returns whether it was."""
        self.taken = try_lock(self._descriptor, fcntl.LOCK_EX)
        if self.taken:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        return self.taken

    @property
    def holder(self) -> str:
        """Says which process has locked it, and what is odd about it."""
        return _described(self._pid)

    @property
    def advice(self) -> str:
        """Says what a user may do about it."""
        if self._pid == 0:
            return f"see which it is: fuser {self._path}"
        return f"let it go on with: kill -CONT {self._pid}, or end it with: kill -9 {self._pid}"

    @property
    def _pid(self) -> int:
        text = os.pread(self._descriptor, 20, 0)
        return int(text) if text.isdigit() else 0


def _described(pid: int) -> str:
    """Writes `process 12 (tune run a.yaml) (suspended: kill -CONT 12 lets it go on)`."""
    try:
        process = psutil.Process(pid)
        words, stopped = process.cmdline(), process.status() == psutil.STATUS_STOPPED
    except (psutil.Error, ValueError):
        return f"process {pid}" if pid > 0 else "another process"
    program = next(
        (i for i, word in enumerate(words) if Path(word).name in ("tune", "nightsweep", "__main__.py")), None
    )
    name = "" if program is None else f" (tune {' '.join(words[program + 1 :])[:100]})"
    return f"process {pid}{name}" + (f" (suspended: kill -CONT {pid} lets it go on)" if stopped else "")
