"""Compares the runs in MLflow with the study in the ledger, row by row."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflow.entities import Run, ViewType

from orchestrator.ledger import Ledger
from orchestrator.tracking.mlflow_client import connect
from orchestrator.tracking.names import legal
from orchestrator.trial import Objective, Report, State

GREATEST = 1.7976931348623157e308
HERE = socket.gethostname()
HMEAN = Objective("val/hmean", "max")
FACTS = {
    "git_commit": "abc123",
    "data_fingerprint": "f00d",
    "file": "hrnet.yaml",
    "user": "ada",
    "versions": {"torch": "2"},
}


def begin(ledger: Ledger, name: str = "hrnet") -> int:
    """Adds a study that does not run; returns its id."""
    raw = {
        "study": name,
        "trainable": "detection",
        "space": {"lr": {"low": 1e-4, "high": 1.0}},
        "budget": {"trials": 8},
    }
    return ledger.create_study(name, raw, HMEAN, FACTS).id


def add(ledger: Ledger, study: int, epochs: int, state: State | None = State.COMPLETED, **given: Any) -> int:
    """Adds a trial with `epochs` reports, left running if `state` is None; returns its number."""
    number = len(ledger.trials(study, reports=False)) + 1
    ledger.add_trial(study, {"lr": number / 10, "resolution": {1: 640, 5: 960}, "ema": None}, **given)
    for epoch in range(1, epochs + 1):
        metrics = {"val/hmean": number + epoch / 100, "train/loss": 1 / epoch}
        ledger.record(study, number, Report(epoch, metrics, 1.5, 1795256000.25 + 60 * number + epoch))
    if state is not None:
        ledger.finish(study, number, state, "because" if state is not State.COMPLETED else None)
    return number


@contextlib.contextmanager
def long_timeout() -> Iterator[None]:
    """Lets a request to MLflow take a minute, even where the fixture `impatient` has set less."""
    before = os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "60"
    try:
        yield
    finally:
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = before


@long_timeout()
def runs_of(uri: str, name: str = "hrnet", view: int = ViewType.ACTIVE_ONLY) -> dict[int, Run]:
    """Returns the runs by trial number; 0 is the study's own. Fails if one is there twice."""
    client = connect(uri)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], run_view_type=view, max_results=1000)
    found = {int(run.data.tags["nightsweep.trial"]): run for run in runs}
    assert len(found) == len(runs)
    return found


def stored_value(value: float) -> float | str:
    """Returns what MLflow stores: its largest number for infinity. NaN becomes text, so that it equals itself."""
    return "NaN" if math.isnan(value) else min(max(value, -GREATEST), GREATEST)


@long_timeout()
def points_of(uri: str, run: Run) -> set[tuple[str, float | str, int, int]]:
    """Returns (metric, value, time in ms, epoch) of every point of the run; fails if one is there twice."""
    client = connect(uri)
    history = [point for name in run.data.metrics for point in client.get_metric_history(run.info.run_id, name)]
    points = {(p.key, stored_value(p.value), p.timestamp, p.step) for p in history}
    assert len(points) == len(history)
    return points


def assert_equal(ledger: Ledger, study: int, uri: str, *, name: str = "hrnet") -> None:
    """Asserts that MLflow holds exactly the trials, states and values of the ledger."""
    runs, row = runs_of(uri, name), ledger.study(name)
    parent = runs.pop(0)
    statuses = {"completed": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "paused": "SCHEDULED"}
    statuses["running"] = "RUNNING" if row.status == "running" else "SCHEDULED"
    trials = ledger.trials(study)
    values = [trial.value(HMEAN) for trial in trials if trial.state is not State.FAILED and trial.left_out is None]
    best_value = max((value for value in values if value is not None), default=None)
    assert parent.data.metrics == ({} if best_value is None else {"best/val/hmean": best_value})
    assert sorted(runs) == [trial.number for trial in trials]
    for trial in trials:
        run = runs[trial.number]
        assert run.info.run_id == trial.mlflow_run_id
        assert run.info.status == statuses[trial.state]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id == row.mlflow_run_id
        assert run.data.tags["state"] == trial.state
        assert run.data.params.keys() == set(map(legal, trial.config))
        assert run.info.start_time == int(trial.created * 1000)
        assert run.info.end_time == (None if trial.ended is None else int(trial.ended * 1000))
        expected = {
            (metric, stored_value(value), int(report.at * 1000), report.epoch)
            for report in trial.reports
            for metric, value in {**report.metrics, "epoch_seconds": report.seconds}.items()
        }
        best = trial.best_report(HMEAN)
        told = {name: run.data.metrics.get(name) for name in ("best/val/hmean", "best_epoch")}
        assert told == {"best/val/hmean": trial.value(HMEAN), "best_epoch": best and best.epoch}
        if trial.test and best:
            expected |= {
                (metric, stored_value(value), int(best.at * 1000), best.epoch) for metric, value in trial.test.items()
            }
        shown = {point for point in points_of(uri, run) if not point[0].startswith(("best/", "best_"))}
        assert shown == {(legal(metric), *point) for metric, *point in expected}


@long_timeout()
def assert_nothing_runs(uri: str, name: str = "hrnet") -> None:
    """Asserts that MLflow shows no run of the study as running, deleted runs included."""
    experiment = connect(uri).get_experiment_by_name(name)
    assert experiment is not None
    runs = connect(uri).search_runs([experiment.experiment_id], run_view_type=ViewType.ALL, max_results=1000)
    assert [run.info.run_name for run in runs if run.info.status == "RUNNING"] == []


def everything(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Returns all rows about runs in MLflow's own tables, by table."""
    tables = ("experiments", "experiment_tags", "runs", "tags", "params", "metrics", "latest_metrics")
    with contextlib.closing(sqlite3.connect(home / "mlflow.db")) as connection:
        # type: ignore
        return {table: sorted(map(repr, connection.execute(f"SELECT * FROM {table}"))) for table in tables}


def python(text: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the program `text` in a new Python; its first argument is the home, whose ledger is open as `ledger`."""
    head = (
        "import sys; from pathlib import Path\n"
        "from orchestrator.tracking import mlflow_client, tracker; from orchestrator.tracking.sync import sync\n"
        "from orchestrator.ledger import Ledger; home = Path(sys.argv[1]); ledger = Ledger(home / 'ledger.db')\n"
    )
    command = [sys.executable, "-c", head + text, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=300)
