"""Checks that a study goes on whatever fails in MLflow, and that afterwards MLflow holds what the ledger holds."""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import re
import time
from pathlib import Path

import pytest

from orchestrator.ledger import Ledger
from orchestrator.tracking import Tracker, TrackingError, sync, tracker
from orchestrator.tracking.mlflow_client import connect
from orchestrator.trial import Report, State
from tests.harness.free_port import free_port
from tests.harness.mlflow_runs import (
    HERE,
    add,
    assert_equal,
    assert_nothing_runs,
    begin,
    long_timeout,
    runs_of,
    stored_value,
)
from tests.harness.mlflow_server import FaultyProxy, Server, locked
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.timeout(300)  # The first of them starts a server.


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Returns the name of a study that no other test has, because the tests share a server."""
    return f"study-{time.time_ns()}"


@pytest.fixture
def study(ledger: Ledger, name: str) -> int:
    """Adds a study that runs, with a trial of three epochs in each state but completed; returns its id."""
    study = begin(ledger, name)
    ledger.acquire(study, os.getpid(), HERE)
    for state in (State.PRUNED, State.FAILED, State.PAUSED, None):
        add(ledger, study, 3, state)
    return study


def go_on(ledger: Ledger, study: int, epochs: range) -> None:
    for epoch in epochs:
        ledger.record(study, 4, Report(epoch, {"val/hmean": epoch / 100, "train/loss": 1.0}, 1.0, 1795257000.0 + epoch))


def finish(ledger: Ledger, study: int) -> None:
    ledger.finish(study, 4, State.COMPLETED)
    ledger.release(study, "finished")


# By the kind of database: what happens to the first request to each endpoint.
FAULTS = {
    "sqlite": {"runs/create": "hang", "runs/log-batch": "lose", "runs/search": "500", "experiments/create": "lose"},
    "postgresql": {"runs/create": "lose", "runs/log-batch": "500", "runs/search": "late", "runs/update": "lose"},
}


@pytest.mark.usefixtures("impatient")
def test_no_request_that_fails_leaves_a_double_or_a_gap(
    ledger: Ledger, study: int, name: str, proxy: FaultyProxy, server: Server, home: Path
) -> None:
    """Uses `hang` and `late` for longer than the client waits; what hangs is carried out when it is too late."""
    left = dict(FAULTS[server.store.partition(":")[0]])
    proxy.does = lambda method, path: left.pop(path.partition("/mlflow/")[2], "pass")
    tracker = Tracker(home / "ledger.db", study, proxy.address, home, warn=lambda line: None)
    wait_for(lambda: not left and tracker.status == "up to date", 60)
    go_on(ledger, study, range(4, 6))
    wait_for(lambda: not left and tracker.status == "up to date", 60)
    proxy.freed.set()
    finish(ledger, study)
    tracker.close()
    with long_timeout():
        sync(ledger, study, proxy.address, home)
    assert_equal(ledger, study, server.address, name=name)
    assert_nothing_runs(server.address, name)


@pytest.mark.usefixtures("impatient")
def test_a_run_that_a_server_makes_long_after_nobody_waits_for_it_goes_at_the_next_start(
    ledger: Ledger, study: int, name: str, proxy: FaultyProxy, server: Server, home: Path
) -> None:
    proxy.on("runs/create", "hang", times=1)
    tracker = Tracker(home / "ledger.db", study, proxy.address, home, warn=lambda line: None)
    wait_for(lambda: tracker.status == "up to date")
    finish(ledger, study)
    with long_timeout():
        assert tracker.close()
    assert_equal(ledger, study, server.address, name=name)
    proxy.freed.set()
    wait_for(lambda: how_many_runs(server.address, name) == 6)  # With the study's own, this is one run too many.
    with long_timeout():
        assert Tracker(home / "ledger.db", study, proxy.address, home, warn=print).close()
    assert_equal(ledger, study, server.address, name=name)
    assert_nothing_runs(server.address, name)


@pytest.mark.usefixtures("impatient")
def test_a_study_does_not_wait_for_a_server_that_hangs(
    ledger: Ledger, study: int, name: str, proxy: FaultyProxy, server: Server, home: Path
) -> None:
    proxy.on("", "hang")
    said: list[str] = []
    tracker = Tracker(home / "ledger.db", study, proxy.address, home, warn=said.append)
    wait_for(lambda: proxy.seen)
    go_on(ledger, study, range(4, 60))
    finish(ledger, study)
    assert not tracker.close(timeout=1)
    assert not proxy.freed.is_set()  # All of it was done while the first request hung.
    assert said[-1].startswith(f"{name}: MLflow at {proxy.address} lacks 4 trials with 68 reports (")
    assert said[-1].endswith(f"; send it with: tune sync {name}")
    proxy.on("", "pass")
    proxy.freed.set()
    tracker.close(timeout=60)  # Its thread ends now, so that it does not send beside us.
    with long_timeout():
        sync(ledger, study, server.address, home)
    assert_equal(ledger, study, server.address, name=name)


@pytest.mark.usefixtures("impatient")
def test_a_database_that_another_process_has_locked_is_sent_to_later(
    ledger: Ledger, study: int, name: str, server: Server, home: Path
) -> None:
    """Locks the database behind a server, which still accepts requests and carries them out later."""
    tracker = Tracker(home / "ledger.db", study, server.address, home, warn=lambda line: None)
    wait_for(lambda: tracker.status == "up to date")
    with locked(server.store):
        ledger.add_trial(study, {"lr": 0.9, "resolution": {1: 640, 5: 960}, "ema": None})
        ledger.record(study, 5, Report(1, {"val/hmean": 0.5}, 1.0, 1795257000.0))
        wait_for(lambda: "timed out" in tracker.status)
        go_on(ledger, study, range(4, 60))
        ledger.finish(study, 5, State.COMPLETED)
        finish(ledger, study)
        assert not tracker.close(timeout=0.5)
    tracker.close(timeout=60)  # Its thread ends now, so that it does not send beside us.
    with long_timeout():
        sync(ledger, study, server.address, home)
    assert_equal(ledger, study, server.address, name=name)


def test_a_driver_that_is_killed_at_any_instant_leaves_no_double_and_no_zombie(
    ledger: Ledger, name: str, server: Server, home: Path
) -> None:
    study = begin(ledger, name)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlflow", "mlflow.tracking", "orchestrator.tracking"])
    chance = random.Random(name)
    for _ in range(6):
        driver = context.Process(target=drive, args=(home, study, server.address))
        known = len(ledger.trials(study, reports=False))
        driver.start()
        wait_for(lambda: len(ledger.trials(study, reports=False)) > known)  # noqa: B023
        driver.join(chance.uniform(0, 1.0))
        driver.kill()
        driver.join()
    assert Tracker(home / "ledger.db", study, server.address, home, warn=print).close(timeout=120)
    assert len(ledger.trials(study, reports=False)) >= 6
    assert_equal(ledger, study, server.address, name=name)
    assert_nothing_runs(server.address, name)


def drive(home: Path, study: int, uri: str) -> None:
    """Adds trials of three epochs, one after the other, as a driver does, until it is killed."""
    tracker.ROUND_SECONDS = 0.02
    ledger = Ledger(home / "ledger.db")
    ledger.acquire(study, os.getpid(), HERE)
    Tracker(home / "ledger.db", study, uri, home, warn=print)
    while True:
        add(ledger, study, 3)
        time.sleep(0.2)


# What MLflow refuses, and what it stores


def test_what_is_odd_about_a_study_is_shown_all_the_same(ledger: Ledger, name: str, server: Server, home: Path) -> None:
    """Sends names, lengths and values at the limits of MLflow and its databases, and beyond."""
    study = begin(ledger, name)
    config = {f"p{i:03d}": "가" * 6500 if i < 60 else i for i in range(230)} | {"학습률": "\0", "a/b": math.nan}
    ledger.add_trial(study, config, baseline="best by hand " * 40)
    values = [math.nan, math.inf, -math.inf, 5e-324, -0.0, 1e308]
    for epoch, value in enumerate(values, 1):
        metrics = {f"정확도/{'m' * 200}{i:04d}": i / epoch for i in range(1100 if epoch == 1 else 1)}
        ledger.record(study, 1, Report(epoch, {"val/AP@0.5": value, **metrics}, 1.0, 1795257000.0 + epoch))
    ledger.finish(study, 1, State.FAILED, "\0", "가" * 20_000)
    for _ in range(2):
        sync(ledger, study, server.address, home)
    run = runs_of(server.address, name)[1]
    assert run.data.params.keys() == config.keys()
    assert len(run.data.params["p000"]) == 6000
    assert run.data.params["학습률"] == r"\0"
    assert len(run.data.metrics) == 1102
    points = connect(server.address).get_metric_history(run.info.run_id, "val/AP_0.5")
    shown = [stored_value(point.value) for point in sorted(points, key=lambda point: point.step)]
    assert shown == [stored_value(value) for value in values]


def test_a_database_is_reached_without_a_server_too(
    ledger: Ledger, study: int, name: str, server: Server, home: Path
) -> None:
    finish(ledger, study)
    for uri in (server.store, server.address):  # These are two addresses of one store.
        sync(ledger, study, uri, home)
        assert_equal(ledger, study, server.address, name=name)


@pytest.mark.timeout(60)  # MLflow by itself would try for minutes.
def test_a_database_that_is_not_there_is_said_without_its_password(ledger: Ledger, study: int, home: Path) -> None:
    with pytest.raises(TrackingError) as refused:
        sync(ledger, study, f"postgresql://ada:hunter2@127.0.0.1:{free_port()}/mlflow", home)
    assert re.fullmatch(
        r"MLflow at postgresql://ada:\*\*\*@127.0.0.1:\d+/mlflow: Connection refused", str(refused.value)
    )


@pytest.mark.usefixtures("prompt")
def test_a_restarted_trial_shows_each_epoch_once(
    ledger: Ledger, study: int, name: str, server: Server, home: Path
) -> None:
    """Loses epochs 2 and 3 with a worker; the second time their values differ."""
    tracker = Tracker(home / "ledger.db", study, server.address, home, warn=print)
    wait_for(lambda: tracker.status == "up to date")
    noted = runs_of(server.address, name)[4]
    connect(server.address).set_tag(noted.info.run_id, "mlflow.note.content", "look at this one")
    ledger.finish(study, 4, State.PAUSED, "worker lost")
    ledger.start_attempt(study, 4)
    for epoch in (2, 3, 4):
        ledger.record(study, 4, Report(epoch, {"val/hmean": 0.5 * epoch}, 1.0, 1795257000.0 + epoch))
        wait_for(lambda: shown(server.address, name, 4).get(epoch) == 0.5 * epoch)  # noqa: B023
    finish(ledger, study)
    assert tracker.close()
    assert_equal(ledger, study, server.address, name=name)
    assert_nothing_runs(server.address, name)
    assert runs_of(server.address, name)[4].data.tags["mlflow.note.content"] == "look at this one"


@long_timeout()
def shown(uri: str, name: str, number: int) -> dict[int, float]:
    """Returns the objective by epoch; fails if an epoch is there twice."""
    run = runs_of(uri, name).get(number)
    history = connect(uri).get_metric_history(run.info.run_id, "val/hmean") if run else []
    assert len({point.step for point in history}) == len(history)
    return {point.step: point.value for point in history}


@long_timeout()
def how_many_runs(uri: str, name: str) -> int:
    experiment = connect(uri).get_experiment_by_name(name)
    return len(connect(uri).search_runs([experiment.experiment_id])) if experiment else 0
