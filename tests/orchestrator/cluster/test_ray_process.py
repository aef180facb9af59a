"""Checks the process that speaks with Ray: what workers find in their environment, and what comes back."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.cluster import ray_process
from orchestrator.cluster.errors import RayLost, RayUnavailable, WorkFailed
from orchestrator.cluster.ray_process import RayProcess, differences, session
from orchestrator.cluster.remote_service import Service
from orchestrator.cluster.sharing import Claim, Node
from orchestrator.job import Ended, Failure, Job, JobRef, Silence, Workplace
from orchestrator.trial import Report


class OneJob(Service):
    """Has one job to do."""

    def __init__(self) -> None:
        self._jobs = [Job(1, 1, {}, 0, None, silence=Silence(100.0, 0.0, 1.0, 100.0))]
        self._over = False
        self.failure: Failure | None = None

    def exchange(
        self, job: str, nodes: Sequence[Node], others: Sequence[Claim], stuck: bool
    ) -> tuple[Claim, bool, set[JobRef]]:
        return Claim(job, "test", os.getpid(), "here", 1, 0, 1, 1, 0), True, set()

    def next_job(self) -> Job | None:
        return self._jobs.pop() if self._jobs else None

    def is_over(self) -> bool:
        return self._over

    def is_full(self) -> bool:
        return False

    def place(self, ref: JobRef, facts: Mapping[str, Any]) -> None:
        return None

    def report(self, ref: JobRef, report: Report) -> bool:
        return True

    def out_of_sight(self, host: str) -> None:
        raise AssertionError(host)

    def end(self, ref: JobRef, ended: Ended) -> None:
        self._over, self.failure = True, ended.failure


def environment_in_a_worker(ray: RayProcess, folder: Path) -> dict[str, str]:
    """What a trainable finds there."""
    service, file = OneJob(), folder / "environment.json"
    workplace = Workplace("tests.harness.tells_environment", {"file": str(file)}, str(folder / "study"), "cpu", ".")
    ray.drive(service, workplace, 1, 0, str(folder / "ray"), lambda: None)
    assert service.failure is None
    return json.loads(file.read_text())


def test_only_what_differs_and_matters_to_workers_is_set_again():
    host = {
        "PATH": "/bin",
        "NIGHTSWEEP_WEIGHTS": "/old",
        "SHLVL": "2",
        "GONE": "1",
        "RAY_X": "1",
        "SSH_TTY": "/dev/pts/1",
    }
    mine = {"PATH": "/bin", "NIGHTSWEEP_WEIGHTS": "/new", "SHLVL": "3", "NEW": "1"}
    assert differences(mine, host) == {"GONE": "", "NEW": "1", "NIGHTSWEEP_WEIGHTS": "/new"}
    assert differences(host, host) == {}


def test_an_address_where_nobody_listens_is_said_at_once():
    said = r"--address: a Ray cluster must listen at 127\.0\.0\.1:9"
    with pytest.raises(RayUnavailable, match=said), session("127.0.0.1:9", threads=1):
        pass


def test_a_cluster_that_takes_the_connection_and_never_answers_is_given_up_and_what_is_waited_for_is_told(monkeypatch):
    monkeypatch.setattr(ray_process, "CONNECT_SECONDS", 0.4)
    told: list[tuple[float, str]] = []
    here, there = Pipe()
    ray = RayProcess(None, here, io.BytesIO())  # type: ignore[arg-type]  # No process is there to answer.
    with pytest.raises(RayUnavailable, match="must let us connect, but has not answered for"):
        ray.connect("10.0.0.1:6379", {}, lambda *waited: told.append(waited), on_this_machine=False)
    assert {what for _, what in told} == {"an answer of the Ray at 10.0.0.1:6379"}
    ray.close()
    there.close()


@pytest.mark.ray
def test_a_secret_reaches_the_workers_by_no_command_line(monkeypatch, tmp_path: Path):
    """Looks at a second study: the environment of the first is the one that the cluster was started with."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            for process in psutil.process_iter():
                with suppress(psutil.Error):
                    seen.update(process.cmdline())

    with session(None, threads=1):
        monkeypatch.setenv("NIGHT_TOKEN", "hunter2")
        monkeypatch.setenv("NIGHT_DATA", "/second")
        watching = threading.Thread(target=look)
        watching.start()
        try:
            with session(None, threads=1) as second:
                found = environment_in_a_worker(second, tmp_path)
                assert (found["NIGHT_TOKEN"], found["NIGHT_DATA"]) == ("hunter2", "/second")
        finally:
            over.set()
            watching.join()
    assert not [word for word in seen if "hunter2" in word]
    assert [word for word in seen if "/second" in word], (
        "Ray now passes the environment in another way, which hides it from this test"
    )


@pytest.mark.ray
def test_each_study_has_its_own_environment_on_the_cluster_that_they_share(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("NIGHTSWEEP_WEIGHTS", "/first")
    with session(None, threads=1) as first:
        monkeypatch.setenv("NIGHTSWEEP_WEIGHTS", "/second")
        with session(None, threads=2) as second:
            assert second.resources == first.resources and first.resources["CPU"] >= 1
            for ray, expected in ((first, ("/first", "1")), (second, ("/second", "2"))):
                found = environment_in_a_worker(ray, tmp_path)
                assert (found["NIGHTSWEEP_WEIGHTS"], found["OMP_NUM_THREADS"]) == expected
        with pytest.raises(WorkFailed, match="study_directory"):
            first.drive(OneJob(), None, 1, 0, str(tmp_path), lambda: None)
        [child] = [process for process in psutil.Process().children() if "ray_main" in str(process.cmdline())]
        child.kill()
        with pytest.raises(RayLost):
            environment_in_a_worker(first, tmp_path)
