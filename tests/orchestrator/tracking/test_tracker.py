"""Compares MLflow with the ledger while a study runs, and afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.ledger import Ledger
from orchestrator.tracking import Tracker, TrackingError, default_uri, serve_ui, sync
from orchestrator.trial import Report, State
from tests.harness.free_port import free_port
from tests.harness.mlflow_runs import HERE, assert_equal, begin, python, runs_of
from tests.harness.mlflow_server import status_of, until_killed
from tests.harness.waiting import wait_for


@pytest.mark.usefixtures("impatient")
def test_a_tracker_follows_a_study(ledger: Ledger, uri: str, home: Path) -> None:
    study, said = begin(ledger), []
    ledger.acquire(study, os.getpid(), HERE)
    tracker = Tracker(home / "ledger.db", study, uri, home, warn=said.append)
    ledger.add_trial(study, {"lr": 0.1})
    time.sleep(0.5)
    assert tracker.status == "waiting for a first report"
    for epoch in range(1, 21):
        ledger.record(study, 1, Report(epoch, {"val/hmean": epoch / 20}, 1.0, 1000.0 + epoch))
        time.sleep(0.03)
    wait_for(lambda: tracker.status == "up to date")
    assert runs_of(uri)[1].info.status == "RUNNING"
    ledger.finish(study, 1, State.COMPLETED)
    ledger.release(study, "finished")
    assert tracker.close()
    assert said == []
    assert runs_of(uri)[0].info.status == "FINISHED"
    assert_equal(ledger, study, uri)


@pytest.mark.usefixtures("impatient")
def test_a_study_goes_on_while_its_server_is_away(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    said: list[str] = []
    away = f"http://ada:hunter2@127.0.0.1:{free_port()}"
    tracker = Tracker(home / "ledger.db", study, away, home, warn=said.append)
    wait_for(lambda: said)
    for epoch in range(8, 30):
        ledger.record(study, 5, Report(epoch, {"val/hmean": 0.5}, 1.0, 1000.0 + epoch))
    began = time.monotonic()
    assert not tracker.close(timeout=10)
    assert time.monotonic() - began < 10
    at = f"MLflow at {away.replace('hunter2', '***')}"
    assert said == [  # Each line comes once, however often it was tried.
        f"{at} takes nothing now: Connection refused; the study goes on, and what is missing is sent later",
        f"hrnet: {at} lacks 5 trials with 57 reports (Connection refused); send it with: tune sync hrnet",
    ]
    with pytest.raises(TrackingError, match=r"MLflow at http://ada:\*\*\*@127\.0\.0\.1:\d+: Connection refused"):
        sync(ledger, study, away, home)
    sync(ledger, study, uri, home)
    assert_equal(ledger, study, uri)


@pytest.mark.usefixtures("impatient")
def test_a_tracker_that_finds_nothing_new_does_not_even_load_mlflow(
    ledger: Ledger, study: int, uri: str, home: Path
) -> None:
    sync(ledger, study, uri, home)
    text = (
        "started = tracker.Tracker(home / 'ledger.db', int(sys.argv[3]), sys.argv[2], home, warn=print)\n"
        "print(started.close(), 'mlflow' in sys.modules)"
    )
    assert python(text, home, uri, study).stdout == "True False\n"


def test_importing_tracking_does_not_load_mlflow(home: Path) -> None:
    assert python("print('mlflow' in sys.modules, 'sqlalchemy' in sys.modules)", home).stdout == "False True\n"


def test_nothing_is_printed_and_nothing_left_in_the_current_folder(
    first_sync: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """Starts without tables, about whose creation MLflow would print lines."""
    home, done = first_sync
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list((home.parent / "work").iterdir()) == []
    assert {file.name for file in home.iterdir()} - {"ledger.db-wal", "ledger.db-shm"} == {"ledger.db", "mlflow.db"}
    ledger = Ledger(home / "ledger.db")
    assert_equal(ledger, ledger.study("hrnet").id, default_uri(home, None))
    ledger.close()


@contextlib.contextmanager
def pages(home: Path, port: int) -> Iterator[None]:
    text = (
        "import sys; from pathlib import Path; from orchestrator import tracking; home = Path(sys.argv[1])\n"
        "sys.exit(tracking.serve_ui(tracking.default_uri(home, None), home, int(sys.argv[2])))"
    )
    with until_killed([sys.executable, "-c", text, str(home), str(port)], home / "server.log", port):
        yield


@pytest.mark.timeout(300)  # A server starts twice.
@pytest.mark.usefixtures("impatient")
def test_a_tracker_outlives_its_server(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    """Sends over HTTP to a real server, which is `tune ui` itself; it is killed and started again."""
    port, said = free_port(), []
    address = f"http://127.0.0.1:{port}"
    ledger.acquire(study, os.getpid(), HERE)
    with pages(home, port):
        assert status_of(address) == 200
        assert status_of(address, Host="evil.example") == 403
        with pytest.raises(
            TrackingError, match=rf"--port: must be free, but {port} is not \(.*\); try --port {port + 1}"
        ):
            serve_ui(uri, home, port)
        tracker = Tracker(home / "ledger.db", study, address, home, warn=said.append)
        wait_for(lambda: tracker.status == "up to date")
        assert_equal(ledger, study, uri)
    ledger.record(study, 5, Report(8, {"val/hmean": 0.5}, 1.0, 3000.0))
    wait_for(lambda: said)
    assert re.search("Connection (refused|reset|aborted); the study goes on", said[0])
    ledger.record(study, 5, Report(9, {"val/hmean": 0.6}, 1.0, 3001.0))
    with pages(home, port):
        ledger.release(study, "paused", "the deadline came")
        assert tracker.close()
    assert said[1:] == [f"MLflow at {address} has everything again"]
    assert_equal(ledger, study, uri)
    assert "Uvicorn running on http://127.0.0.1" in (home / "server.log").read_text()
