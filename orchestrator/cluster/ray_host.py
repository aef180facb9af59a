"""Owns the Ray cluster of a machine, as a program of its own, until nobody has used it for a while.

local_cluster.py starts it. It leads a process group of its own, so that a Ctrl-C or SIGTERM for a whole group does not
end the Ray of a study. It is run as a file, and therefore imports no other module of this project.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.2
SET_BACK_SECONDS = 5.0


def host(directory: Path, lock: int, linger: float) -> None:
    """Runs a cluster until nobody has used it for `linger` seconds, a part of it has died or the clock is set back.

    lock: the open descriptor of the folder, locked.
    """
    os.set_inheritable(lock, False)
    asked: list[int] = []
    for kind in (signal.SIGINT, signal.SIGHUP):
        signal.signal(kind, signal.SIG_IGN)
    node = _start_node(directory)
    # This replaces the handler that Ray has set.
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    file = directory / "cluster.json"
    file.with_suffix(".new").write_text(json.dumps({"address": node.gcs_address, "pid": os.getpid()}))
    file.with_suffix(".new").rename(file)
    users = os.open(directory / "users", os.O_RDWR)
    used = time.monotonic()
    clock, healthy = _Clock(), True
    while not asked and (healthy := not node.dead_processes() and has_sockets(directory) and not clock.set_back()):
        if try_lock(users, fcntl.LOCK_EX):  # Nobody uses the cluster.
            if time.monotonic() - used > linger:
                break  # It stays locked, so that nobody can begin to use the cluster.
            fcntl.flock(users, fcntl.LOCK_UN)
        else:
            used = time.monotonic()
        time.sleep(POLL_SECONDS)
    file.unlink(missing_ok=True)
    node.kill_all_processes(check_alive=False, allow_graceful=healthy)
    shutil.rmtree(directory, ignore_errors=True)


class _Clock:
    """Watches the wall clock. Once it is set back, Ray starts no worker until it shows the old time again."""

    def __init__(self) -> None:
        self._ahead = -math.inf  # Seconds by which it is ahead of the monotonic clock, at most.

    def set_back(self) -> bool:
        """Returns whether it was set back by more than a correction takes."""
        ahead = time.time() - time.monotonic()
        self._ahead = max(self._ahead, ahead)
        return ahead < self._ahead - SET_BACK_SECONDS


def _start_node(directory: Path) -> Any:
    """Starts Ray's processes, without the web server and autoscaler that nobody needs: it takes a third less time."""
    # Ray would start a Python process for each core, which no trial can use: a trial's has an environment of its own.
    os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    class Head(Node):
        def start_api_server(self, **options: object) -> None:
            self._webui_url = ""

    parameters = RayParams(
        temp_dir=str(directory),
        session_name="session",
        node_ip_address="127.0.0.1",  # It then listens there only.
        include_dashboard=False,
        include_log_monitor=False,
        no_monitor=True,
    )
    return Head(parameters, head=True, shutdown_at_exit=False, spawn_reaper=True)


def has_sockets(directory: Path) -> bool:
    """Returns whether Ray's own files are there: a program that tidies up /tmp may have removed them."""
    return (directory / "session" / "sockets").is_dir()


def try_lock(descriptor: int, kind: int) -> bool:
    """Locks the file if that is possible now; returns whether it was."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    host(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
