"""Studies that run elsewhere: shown from their log, stopped by a signal, started detached."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.study.budget import Limits
from orchestrator.study_file.study_spec import parse_study
from tests.harness.fake_cluster import FakeCluster
from tests.tune.conftest import Typed
from tune import attach
from tune.detached import _pass_on, readiness
from tune.start import intent
from tune.stop import stop

LOG = "--- 2026-11-27 22:00:00  tune run\nold\n--- 2026-11-28 22:00:00  tune run\n2026-11-28 22:00:01  new \x1b[2J\n"


@contextmanager
def run_by_a_process(cluster: FakeCluster) -> Iterator[subprocess.Popen[bytes]]:
    """Lets a process of this host hold the study; it dies of SIGTERM."""
    process = subprocess.Popen(["sleep", "100"])
    cluster.ledger.acquire(cluster.id, process.pid, socket.gethostname())
    yield process
    process.kill()
    process.wait()


def test_stop_asks_the_process_that_runs_the_study_and_tells_how_it_ended(tmp_path: Path):
    cluster, said = FakeCluster(tmp_path), []
    with run_by_a_process(cluster) as process:
        assert cluster.study.next_job() is not None
        stop(cluster.ledger, "toy", said.append)
        assert process.wait(5) == -15
    asked, ended = said
    assert asked.startswith(f"toy: process {process.pid} on {socket.gethostname()} since ")
    assert asked.endswith(" is asked to stop; trials that run: 1, each pauses at its next report")
    assert ended.startswith("toy: interrupted after ")
    said.clear()
    stop(cluster.ledger, "toy", said.append)
    assert said == ["toy does not run: interrupted; nothing is to be stopped"]


def test_attach_shows_the_last_start_and_how_the_study_stands(typed: Typed, home: Path):
    FakeCluster(home)
    assert typed("attach", "toy").code == 1
    assert "run.log: must be there, but toy has said nothing" in typed("attach", "toy").err
    (home / "toy").mkdir(exist_ok=True)
    (home / "toy" / "run.log").write_text(LOG)
    shown = typed("attach", "toy")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines() == [
        "--- 2026-11-28 22:00:00  tune run",
        "2026-11-28 22:00:01  new \\x1b[2J",
        "toy does not run: paused; see tune show toy",
    ]
    assert typed("attach", "toy", "--home", home).out.endswith(f"; see tune show toy --home {home}\n")
    assert typed("stop", "toy").out == "toy does not run: paused; nothing is to be stopped\n"
    assert typed("stop", "tyo").code == 2


def test_attach_waits_for_the_last_words_of_a_process_that_has_given_the_study_back(
    typed: Typed, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cluster, may_end = FakeCluster(home), tmp_path / "may end"
    (home / "toy").mkdir(exist_ok=True)
    (home / "toy" / "run.log").write_text("--- heading\n")
    program = f"while [ ! -e '{may_end}' ]; do sleep 0.1; done; echo 'report: page' >> {home}/toy/run.log"
    process = subprocess.Popen(["sh", "-c", program])
    cluster.ledger.acquire(cluster.id, process.pid, socket.gethostname())
    between_two_looks = [may_end.touch, lambda: cluster.ledger.release(cluster.id, "paused")]

    def sleep(seconds: float) -> None:
        if between_two_looks:
            between_two_looks.pop()()
        time.sleep(seconds)

    monkeypatch.setattr(attach, "time", SimpleNamespace(sleep=sleep))
    shown = typed("attach", "toy")
    assert not between_two_looks
    assert shown.out.splitlines()[-2:] == ["report: page", "toy does not run any more: paused; see tune show toy"]
    process.wait()


@pytest.mark.parametrize("runs", [True, False])
def test_what_a_detached_start_prints_is_passed_on_until_it_runs_or_has_ended(runs: bool):
    (out, out_there), (error, error_there), (ready, ready_there) = os.pipe(), os.pipe(), os.pipe()
    os.write(out_there, "looked at 가\n".encode())
    os.write(error_there, b"a warning\n")
    if runs:
        os.write(ready_there, b"1")
    else:
        os.close(out_there)
        os.close(error_there)
        os.close(ready_there)
    seen, warned = io.StringIO(), io.StringIO()
    assert _pass_on({out: seen, error: warned}, ready) is runs
    assert (seen.getvalue(), warned.getvalue()) == ("looked at 가\n", "a warning\n")


def test_a_command_that_was_not_detached_has_nobody_to_tell(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NIGHTSWEEP_READY", raising=False)
    assert readiness() is None


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(), "up to 12 trials"),
        (Limits(trials=1), "up to 1 trial"),
        (Limits(more_trials=4, until="18:03"), "4 more trials, until Sat 18:03, in 23 h 58 min"),
        (Limits(until="18:05", hours=30.0), "up to 12 trials, until Sat 18:05, in 24 h 00 min"),
        (Limits(until="18:06"), "up to 12 trials, until Fri 18:06, in 1 min 00 s"),
        (Limits(hours=8.0), "up to 12 trials, until Sat 02:05, in 8 h 00 min"),
        (Limits(hours=200.0), "up to 12 trials, until Sun 2026-12-06 02:05, in 200 h 00 min"),
    ],
)
def test_the_first_line_says_how_much_is_to_be_done_and_which_moment_is_meant(limits: Limits, said: str):
    space = {"lr": {"low": 0.1, "high": 1.0}}
    raw = {"study": "toy", "trainable": "tests.toy", "objective": {"metric": "val/score", "mode": "max"}}
    spec = parse_study(raw | {"space": space, "budget": {"trials": 12}}, "toy.yaml")
    from datetime import datetime

    assert intent(spec, limits, datetime(2026, 11, 27, 18, 5).timestamp()) == said
