"""Runs a Ray cluster of machines, which are one: some are lost in mid-study, or all of them."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.fault import audit
from benchmarks.fault.audit import trials_in
from benchmarks.fault.scene import REPOSITORY, Scene, Stuck
from benchmarks.fault.stage import SMALL, TWO_AT_A_TIME, Stage

START_SECONDS = 120.0


def lost(stage: Stage) -> None:
    """Loses two of a cluster's three machines while they train; their trials go on elsewhere."""
    # Longer trials: before a short one ends, no worker has started on a machine that stood idle.
    like, scene = stage.references.of(SMALL), stage.scene(space={"seconds": 1.5}, **SMALL)
    with _cluster() as cluster:
        others = [cluster.add(), cluster.add()]
        scene.environment |= cluster.environment
        session = scene.start("--address", cluster.address)
        for _ in range(2):
            [machine, *_] = scene.wait_for(
                lambda: [machine for machine in others if cluster.trains(machine, scene)], "a training machine", session
            )
            time.sleep(stage.rng.uniform(0.0, 1.0))
            cluster.kill(machine)
            others.remove(machine)
            stage.caused += 1
        stage.ended(session)
        again = sum(trial.attempts - 1 for trial in trials_in(scene))
        stage.expect(again >= 1, "what trained on a lost machine must be tried again")
        stage.judge(scene, like=like)


def driver_beside_a_cluster(stage: Stage) -> None:
    """Kills the driver beside a cluster that lives; then the cluster, and the driver says so; another one comes."""
    like, scene, snapshots = stage.references.of(TWO_AT_A_TIME), stage.scene(space={"seconds": 0.4}), []
    with _cluster() as cluster:
        cluster.add()
        scene.environment |= cluster.environment
        session = scene.start("--address", cluster.address)
        scene.wait_for_epochs(stage.rng.randint(3, 6), session)
        session.kill()
        stage.caused += 1
        snapshots.append(audit.snapshot(scene))
        session = scene.start("--address", cluster.address)
        scene.wait_for_epochs(stage.rng.randint(3, 6), session)
    stage.caused += 1
    stage.ended(session, 1)
    stage.expect("the same command goes on" in session.said, f"it must say what to do: {session.said[-500:]}")
    snapshots.append(audit.snapshot(scene))
    with _cluster() as cluster:
        cluster.add()
        scene.environment |= cluster.environment
        stage.finish(scene, "--address", cluster.address)
    stage.judge(scene, snapshots, like=like)


class _Cluster:
    """Starts machines of one CPU, each a process group of its own, as `ray start --block` makes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: list[subprocess.Popen[bytes]] = []
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        # Else the first machine would ask for a token where one lies in the user's home, and the second bring none.
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}

    def begin(self) -> None:
        port = self.address.partition(":")[2]
        self._start("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={self._folder}")
        self._wait_for_nodes(1)

    def add(self) -> subprocess.Popen[bytes]:
        node = self._start(f"--address={self.address}")
        self._wait_for_nodes(len(self._nodes))
        return node

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """Sends -9 to all of its processes at once."""
        children = psutil.Process(node.pid).children(recursive=True)
        for process in [*children, psutil.Process(node.pid)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        node.wait()
        self._nodes.remove(node)

    def trains(self, node: subprocess.Popen[bytes], scene: Scene) -> bool:
        """Returns whether an epoch has begun in one of its processes that lives."""
        pids = {process.pid for process in psutil.Process(node.pid).children(recursive=True)}
        return any(line.pid in pids for line in scene.begun())

    def end(self) -> None:
        for node in self._nodes[::-1]:
            self.kill(node)

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--num-cpus=1", *words]
        with (self._folder / "said.txt").open("ab") as said:
            node = subprocess.Popen(
                [*command, "--disable-usage-stats"],
                cwd=REPOSITORY,
                env=os.environ | self.environment,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self._nodes.append(node)
        return node

    def _wait_for_nodes(self, count: int) -> None:
        """Asks in a process of its own, because this one is no part of any cluster."""
        text = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False, logging_level='ERROR')\n"
        text += "sys.exit(sum(node['Alive'] for node in ray.nodes()) < int(sys.argv[2]))"
        command = [sys.executable, "-c", text, self.address, str(count)]
        until = time.monotonic() + START_SECONDS
        while subprocess.run(command, env=os.environ | self.environment, capture_output=True).returncode:
            if time.monotonic() > until:
                raise Stuck(f"no cluster of {count} within {START_SECONDS:.0f} s")
            time.sleep(0.5)


@contextlib.contextmanager
def _cluster() -> Iterator[_Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # short: the paths of sockets may not be long
    cluster = _Cluster(folder)
    try:
        cluster.begin()
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(folder, ignore_errors=True)
