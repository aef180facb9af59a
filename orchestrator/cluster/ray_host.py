"""One Ray cluster per machine and user: found or started, shared by all studies, gone soon after the last of them.

A small process, the host, owns the cluster. It has a session of its own, so that a Ctrl-C or SIGTERM sent to a whole
group of processes ends no study's Ray under it. Everything that must end when its process dies is a flock, which the
kernel lets go whatever kills the process:

    /tmp/nightsweep-UID/          0700; RAY_TMPDIR instead of /tmp where it is set
        start.lock                who starts a cluster, or removes the remains of one
        KEY-XXXXXXXX/             one cluster; locked by its host
            cluster.json          where it listens, once it does
            members               locked, shared, by each driver that uses the cluster
            session/              Ray's own

This file is also the host's program and then stands alone: it imports nothing of ours.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

LINGER_SECONDS = 10.0  # after the last driver left: the next `tune run` finds the cluster warm
START_SECONDS = 120.0  # on a machine where everything else runs as well
POLL_SECONDS = 0.2


class HostFailed(RuntimeError):
    """The cluster of this machine could not be started; one line."""


@dataclass(frozen=True)
class Membership:
    """A driver's place at a cluster."""

    address: str  # 127.0.0.1:port
    directory: Path
    environment: Mapping[str, str]  # of the host, and so of every worker
    _lock: int  # the cluster's folder, open

    def lost(self) -> bool:
        """Has the cluster, or its host, died? Costs two system calls."""
        if not (self.directory / "cluster.json").exists():
            return True
        if not _try_lock(self._lock, fcntl.LOCK_SH):
            return False
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        return True


@contextmanager
def join(environment: Mapping[str, str], linger: float = LINGER_SECONDS) -> Iterator[Membership]:
    """A join at this machine's cluster for Python as it runs now, started if there is none. Raises HostFailed.

    environment: of a cluster that is started, and so of its workers. linger: seconds that it outlives its last join.
    """
    root, key = _root(environment), _key(environment)
    with _locked(root / "start.lock"):
        _remove_the_dead(root)
        for directory in sorted(root.glob(f"{key}-*")):
            members = _join_existing(directory)
            if members is not None:
                break
        else:
            directory = Path(tempfile.mkdtemp(prefix=f"{key}-", dir=root))
            members = _start(directory, environment, linger)
    lock = os.open(directory, os.O_RDONLY)
    try:
        cluster = json.loads((directory / "cluster.json").read_text())
        yield Membership(cluster["address"], directory, psutil.Process(cluster["pid"]).environ(), lock)
    except (FileNotFoundError, psutil.Error) as error:  # it died while we sat down
        raise HostFailed(f"the Ray of {directory} has just ended: {error}") from error
    finally:
        os.close(lock)
        os.close(members)


def _root(environment: Mapping[str, str]) -> Path:
    """The folder of this user's clusters; nobody else may write there, or could put a cluster of theirs before ours."""
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


def _key(environment: Mapping[str, str]) -> str:
    """What drivers of one cluster have in common: interpreter, Ray, the GPUs that they may see, token, container."""
    spaces = [os.readlink(f"/proc/self/ns/{name}") for name in ("net", "mnt", "pid")]
    values = [environment.get(name) for name in ("CUDA_VISIBLE_DEVICES", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")]
    common = [sys.executable, metadata.version("ray"), *values, *spaces]
    return hashlib.sha256(json.dumps(common).encode()).hexdigest()[:8]


def _join_existing(directory: Path) -> int | None:
    """Lock the cluster's members file; None when the cluster is ending or never came up."""
    with suppress(OSError):
        members = os.open(directory / "members", os.O_RDWR)
        for _ in range(10):  # the host looks now and then whether anybody holds it
            if _try_lock(members, fcntl.LOCK_SH):
                if (directory / "cluster.json").exists():
                    return members
                break
            time.sleep(0.05)
        os.close(members)
    return None


def _start(directory: Path, environment: Mapping[str, str], linger: float) -> int:
    """Start the host and wait until its cluster takes work; returns the members file, locked. Raises HostFailed."""
    members = os.open(directory / "members", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(members, fcntl.LOCK_SH)
    lock = os.open(directory, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # kept by the host: the lock belongs to what both have open
    said = directory / "host.log"
    with said.open("wb") as log:
        host = subprocess.Popen(
            [sys.executable, "-P", __file__, str(directory), str(lock), str(linger)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
            pass_fds=[lock],
        )
    os.close(lock)
    until = time.monotonic() + START_SECONDS
    try:
        while not (directory / "cluster.json").exists():
            if host.poll() is not None:
                lines = [line.strip() for line in said.read_text(errors="replace").splitlines() if line.strip()]
                raise HostFailed(lines[-1][:300] if lines else f"its host ended with code {host.returncode}")
            if time.monotonic() > until:
                raise HostFailed(f"it took no work within {START_SECONDS:g} s")
            time.sleep(0.02)
    except BaseException:
        host.kill()  # and with it, by the kernel, what it has started
        host.wait()
        shutil.rmtree(directory, ignore_errors=True)
        os.close(members)
        raise
    return members


def _remove_the_dead(root: Path) -> None:
    """Remove what clusters left whose host was killed; the others are locked. The start lock must be held."""
    for directory in root.iterdir():
        if not directory.is_dir():
            continue
        lock = os.open(directory, os.O_RDONLY)
        if _try_lock(lock, fcntl.LOCK_EX):
            shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


# The host


def host(directory: Path, lock: int, linger: float) -> None:
    """Own a cluster until nobody has used it for `linger` seconds, or a part of it died. lock: of the folder, held."""
    os.set_inheritable(lock, False)
    asked: list[int] = []
    for kind in (signal.SIGINT, signal.SIGHUP):
        signal.signal(kind, signal.SIG_IGN)
    node = _start_node(directory)
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))  # Ray has put its own there
    file = directory / "cluster.json"
    file.with_suffix(".new").write_text(json.dumps({"address": node.gcs_address, "pid": os.getpid()}))
    file.with_suffix(".new").rename(file)
    members = os.open(directory / "members", os.O_RDWR)
    used = time.monotonic()
    while not asked and not (dead := node.dead_processes()):
        if _try_lock(members, fcntl.LOCK_EX):  # nobody is there
            if time.monotonic() - used > linger:
                break  # with the lock: nobody can come any more
            fcntl.flock(members, fcntl.LOCK_UN)
        else:
            used = time.monotonic()
        time.sleep(POLL_SECONDS)
    file.unlink(missing_ok=True)
    node.kill_all_processes(check_alive=False, allow_graceful=not dead)
    shutil.rmtree(directory, ignore_errors=True)


def _start_node(directory: Path) -> Any:
    """Ray's processes, without its web server and its autoscaler: nobody asks them, and a start is a third quicker."""
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    class Head(Node):
        def start_api_server(self, **options: object) -> None:
            self._webui_url = ""

    _make_token()
    parameters = RayParams(
        temp_dir=str(directory),
        session_name="session",
        node_ip_address="127.0.0.1",  # and so listens there alone
        include_dashboard=False,
        include_log_monitor=False,
        no_monitor=True,
    )
    return Head(parameters, head=True, shutdown_at_exit=False, spawn_reaper=True)


def _make_token() -> None:
    """The word that Ray asks everybody for, on 127.0.0.1 too. Ray lets all users read it who may look into a home."""
    from ray._private.authentication.authentication_token_setup import ensure_token_if_auth_enabled

    before = os.umask(0o077)
    try:
        ensure_token_if_auth_enabled()
    finally:
        os.umask(before)
    with suppress(OSError):  # there is none where RAY_AUTH_TOKEN holds it
        (Path.home() / ".ray" / "auth_token").chmod(0o600)  # one that was made before


if __name__ == "__main__":
    host(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
