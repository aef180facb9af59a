"""Studies beside each other, on several machines, and on a Ray that dies: real commands, real kills, the toy."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.cluster.ray_process import local_resources
from orchestrator.ledger import Ledger
from orchestrator.trial import Report
from tests.harness.command import Tune, ended, shown
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]


def reports(home: Path, study: str) -> list[tuple[int, Report]]:
    """Of all trials, in the order in which they came; none before the study is there."""
    with contextlib.suppress(Exception):
        ledger = Ledger(home / "ledger.db")
        return [(number, report) for _, number, report in ledger.history(ledger.study(study).id)]
    return []


def assert_complete(tune: Tune, study: str, *, trials: int, epochs: int) -> list[dict[str, Any]]:
    """Every trial once, with every epoch once."""
    found = shown(tune, study)["trials"]
    assert [trial["number"] for trial in found] == list(range(1, trials + 1))
    assert {trial["state"] for trial in found} == {"completed"}
    assert all([r["epoch"] for r in trial["reports"]] == list(range(1, epochs + 1)) for trial in found)
    return found


def test_two_studies_at_once_take_turns_where_there_is_room_for_one_trial(
    tune: Tune, toy_study: Callable[..., Path], home: Path
):
    whole = {"gpu": 0, "cpu": int(local_resources()["CPU"])}
    sizes = {"first": whole, "second": whole | {"cpu": max(1, whole["cpu"] // 2), "concurrent": 1}}
    for name, resources in sizes.items():
        space = {"epochs": 4, "seconds": 0.2}
        toy_study(name, space, scheduler={"name": "none"}, budget={"trials": 2}, resources=resources)
    drivers = {name: tune("run", str(home.parent / f"{name}.yaml")) for name in sizes}
    for name, driver in drivers.items():
        code, out, err = ended(driver)
        assert (code, err) == (0, ""), out
        assert "shares this machine with" in out and str(drivers[name].pid) not in out
        assert_complete(tune, name, trials=2, epochs=4)
    seen = [(name, report) for name in sizes for _, report in reports(home, name)]
    seen.sort(key=lambda pair: pair[1].at)
    for (_, before), (_, after) in itertools.pairwise(seen):
        assert after.at - after.seconds >= before.at - 0.05  # never two trials at once
    assert {name for name, _ in seen[: len(seen) // 2]} == sizes.keys()


def test_a_study_goes_on_with_another_ray_when_its_own_is_killed(
    tune: Tune, toy_study: Callable[..., Path], home: Path
):
    space = {"epochs": 12, "seconds": 0.2}
    driver = tune("run", str(toy_study(space=space, scheduler={"name": "none"}, budget={"trials": 2})))
    wait_for(lambda: len(reports(home, "toy")) >= 4, 120)
    raylets = (p for p in psutil.process_iter(["name", "cmdline"]) if p.info["name"] == "raylet")
    [raylet] = [p for p in raylets if os.environ["RAY_TMPDIR"] in " ".join(p.info["cmdline"])]
    raylet.kill()
    code, out, err = ended(driver)
    assert (code, err) == (0, ""), out
    assert "the Ray of this machine died; its trials go on from their checkpoints" in out
    again = assert_complete(tune, "toy", trials=2, epochs=12)
    assert max(trial["attempts"] for trial in again if "attempts" in trial) == 2


@pytest.fixture
def machines(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[psutil.Process]]]:
    """A Ray cluster of two machines, both of them this one: its address, and the process that began each."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    address = f"{socket.gethostbyname(socket.gethostname())}:{port}"
    directory = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # short: the paths of sockets may not be long
    monkeypatch.setenv("RAY_AUTH_TOKEN", 64 * "a")
    environment = os.environ | {"RAY_AUTH_MODE": "token"}
    started = []

    def start(*words: str) -> psutil.Process:
        ray = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([*ray, *words], cwd=repository, env=environment, start_new_session=True, **quiet)
        started.append(process)
        return psutil.Process(started[-1].pid)

    def listens() -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        return False

    head = start("--head", f"--port={port}", f"--temp-dir={directory}", "--include-dashboard=false")
    wait_for(listens, 60)
    other = start(f"--address=127.0.0.1:{port}")
    wait_for(lambda: any(p.name() == "raylet" for p in other.children(recursive=True)), 60)
    yield address, [head, other]
    for process in started:
        lose(psutil.Process(process.pid))
        process.wait()
    shutil.rmtree(directory, ignore_errors=True)


def lose(machine: psutil.Process) -> None:
    """As if its plug were pulled."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in [machine, *machine.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)


def test_a_machine_lost_in_mid_study_costs_nothing_and_the_lost_cluster_no_trial(
    tune: Tune,
    toy_study: Callable[..., Path],
    home: Path,
    machines: tuple[str, list[psutil.Process]],
):
    address, [head, other] = machines
    space = {"epochs": 25, "seconds": 0.2}
    both = {"gpu": 0, "cpu": 1}  # a trial on each machine
    file = str(toy_study(space=space, scheduler={"name": "none"}, budget={"trials": 3}, resources=both))
    driver = tune("run", file, "--address", address)
    wait_for(lambda: len({number for number, _ in reports(home, "toy")}) == 2, 120)  # one on each
    lose(other)
    wait_for(lambda: len({number for number, _ in reports(home, "toy")}) == 3, 120)
    lose(head)
    code, out, err = ended(driver)
    assert code == 1, err
    assert f"the Ray at {address} died; its trials are paused, the same command goes on" in err
    assert "retried: worker lost" in out
    assert not list(home.rglob(".session"))
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, ""), out
    assert_complete(tune, "toy", trials=3, epochs=25)
