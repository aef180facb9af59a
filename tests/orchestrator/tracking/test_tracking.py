"""MLflow is compared with the ledger row by row, in its own database."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from orchestrator.ledger import Ledger
from orchestrator.ledger.marks import Marks
from orchestrator.tracking import Tracker, TrackingError, default_uri, log_report, serve_ui, sync, tracking
from orchestrator.trial import Objective, Report, State

HERE = socket.gethostname()
HMEAN = Objective("val/hmean", "max")
FACTS = {
    "git_commit": "abc123",
    "data_fingerprint": "f00d",
    "file": "hrnet.yaml",
    "user": "ada",
    "versions": {"torch": "2"},
}
GREATEST = 1.7976931348623157e308  # MLflow's infinity


@pytest.fixture(scope="module")
def first_sync(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A process that makes MLflow's tables, which takes seconds, in a home with an odd name, and sends a study there.

    Beside the home: `work`, its current folder, and `empty.db`, the store before that study.
    """
    folder = tmp_path_factory.mktemp("first")
    (folder / "work").mkdir()
    text = (
        "import os, shutil, orchestrator.tracking\n"
        "os.chdir(home.parent / 'work'); uri = orchestrator.tracking.default_uri(home, None)\n"
        "tracking._client(uri).search_experiments()\n"
        "shutil.copy(home / 'mlflow.db', home.parent / 'empty.db')\n"
        "tracking.sync(ledger, ledger.study('hrnet').id, uri, home)\n"
    )
    home = folder / "ein Heim #1 100% 홈"
    ledger = Ledger(home / "ledger.db")
    add(ledger, begin(ledger), 7)
    ledger.close()
    return home, python(text, home)


@pytest.fixture
def fresh_store(first_sync: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """An MLflow database without runs."""
    return first_sync[0].parent / "empty.db"


@pytest.fixture
def uri(home: Path, fresh_store: Path) -> str:
    shutil.copy(fresh_store, home / "mlflow.db")
    return default_uri(home, None)


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    ledger = Ledger(home / "ledger.db")
    yield ledger
    ledger.close()


def begin(ledger: Ledger, name: str = "hrnet") -> int:
    raw = {
        "study": name,
        "trainable": "detection",
        "space": {"lr": {"low": 1e-4, "high": 1.0}},
        "budget": {"trials": 8},
    }
    return ledger.create_study(name, raw, HMEAN, FACTS).id


def add(ledger: Ledger, study: int, epochs: int, state: State | None = State.COMPLETED, **given: Any) -> int:
    """A trial with `epochs` reports, left running if `state` is None."""
    number = len(ledger.trials(study, reports=False)) + 1
    ledger.add_trial(study, {"lr": number / 10, "resolution": {1: 640, 5: 960}, "ema": None}, **given)
    for epoch in range(1, epochs + 1):
        metrics = {"val/hmean": number + epoch / 100, "train/loss": 1 / epoch}
        ledger.record(study, number, Report(epoch, metrics, 1.5, 1795256000.25 + 60 * number + epoch))
    if state is not None:
        ledger.finish(study, number, state, "because" if state is not State.COMPLETED else None)
    return number


@pytest.fixture
def study(ledger: Ledger) -> int:
    """One trial in each state, seven epochs each; the study is not running."""
    study = begin(ledger)
    add(ledger, study, 7, State.COMPLETED, baseline="best by hand", seed=3)
    for state in (State.PRUNED, State.FAILED, State.PAUSED, None):
        add(ledger, study, 7, state)
    ledger.set_test(study, 1, {"test/hmean": 0.75})
    return study


def runs_of(uri: str, name: str = "hrnet", view: int = ViewType.ACTIVE_ONLY) -> dict[int, Run]:
    """By trial number; 0 is the study's own. Fails if one is there twice."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], run_view_type=view, max_results=1000)
    found = {int(run.data.tags["nightsweep.trial"]): run for run in runs}
    assert len(found) == len(runs)
    return found


def points_of(uri: str, run: Run) -> set[tuple[str, float, int, int]]:
    client = MlflowClient(uri)
    history = [point for name in run.data.metrics for point in client.get_metric_history(run.info.run_id, name)]
    points = {(p.key, p.value, p.timestamp, p.step) for p in history}
    assert len(points) == len(history)
    return points


def assert_equal(ledger: Ledger, study: int, uri: str, *, name: str = "hrnet") -> None:
    """MLflow holds exactly the trials, states and values of the ledger."""
    runs, row = runs_of(uri, name), ledger.study(name)
    parent = runs.pop(0)
    statuses = {"completed": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "paused": "SCHEDULED"}
    statuses["running"] = "RUNNING" if row.status == "running" else "SCHEDULED"
    trials = ledger.trials(study)
    assert sorted(runs) == [trial.number for trial in trials]
    for trial in trials:
        run = runs[trial.number]
        assert run.info.run_id == trial.mlflow_run_id
        assert run.info.status == statuses[trial.state]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id == row.mlflow_run_id
        assert run.data.tags["state"] == trial.state
        assert run.data.params.keys() == trial.config.keys()
        assert run.info.start_time == int(trial.created * 1000)
        assert run.info.end_time == (None if trial.ended is None else int(trial.ended * 1000))
        expected = {
            (metric, value, int(report.at * 1000), report.epoch)
            for report in trial.reports
            for metric, value in {**report.metrics, "epoch_seconds": report.seconds}.items()
        }
        best = trial.best_report(HMEAN)
        if trial.test and best:
            expected |= {(metric, value, int(best.at * 1000), best.epoch) for metric, value in trial.test.items()}
        assert points_of(uri, run) == expected


def everything(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows that say anything about runs, in MLflow's own tables."""
    tables = ("experiments", "experiment_tags", "runs", "tags", "params", "metrics", "latest_metrics")
    with contextlib.closing(sqlite3.connect(home / "mlflow.db")) as connection:
        return {table: sorted(map(repr, connection.execute(f"SELECT * FROM {table}"))) for table in tables}  # type: ignore


def python(text: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    head = (
        "import sys; from pathlib import Path\n"
        "from orchestrator.tracking import tracking; from orchestrator.ledger import Ledger\n"
        "home = Path(sys.argv[1]); ledger = Ledger(home / 'ledger.db')\n"
    )
    command = [sys.executable, "-c", head + text, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=100)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


# One picture


def test_mlflow_holds_exactly_what_the_ledger_holds(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    result = sync(ledger, study, uri, home)
    assert (result.runs_created, result.trials_sent, result.reports_sent) == (6, 5, 35)
    assert str(result) == "5 trials with 35 reports sent, 6 runs made"
    assert_equal(ledger, study, uri)


def test_a_run_says_what_was_tried_and_what_came_of_it(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    sync(ledger, study, uri, home)
    runs = runs_of(uri)
    assert [runs[number].info.run_name for number in range(4)] == ["hrnet", "0001 best by hand", "0002", "0003"]
    assert runs[1].data.params == {"lr": "0.1", "resolution": '{"1": 640, "5": 960}', "ema": "None"}
    tags = runs[1].data.tags
    assert {"baseline": "best by hand", "seed": "3", "trial": "1", "attempts": "1"}.items() <= tags.items()
    assert {
        "git_commit": "abc123",
        "mlflow.source.git.commit": "abc123",
        "data_fingerprint": "f00d",
    }.items() <= tags.items()
    assert (runs[2].data.tags["state"], runs[2].data.tags["reason"]) == ("pruned", "because")
    parent = runs[0].data
    assert {
        "trainable": "detection",
        "objective": "val/hmean max",
        "versions.torch": "2",
    }.items() <= parent.tags.items()
    assert parent.tags["nightsweep.study"] == ledger.study("hrnet").uid
    assert parent.params["space.lr"] == '{"low": 0.0001, "high": 1.0}'


def test_syncing_again_changes_nothing(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    sync(ledger, study, uri, home)
    before = everything(home)
    assert sync(ledger, study, uri, home).runs_created == 0
    assert everything(home) == before


def test_values_that_are_no_numbers_come_once(ledger: Ledger, uri: str, home: Path) -> None:
    study = begin(ledger)
    ledger.add_trial(study, {})
    for epoch, value in enumerate([math.nan, math.inf, -math.inf, 0.5], 1):
        ledger.record(study, 1, Report(epoch, {"val/hmean": value}, 1.0, 1000.0))
    for _ in range(2):
        sync(ledger, study, uri, home)
        history = MlflowClient(uri).get_metric_history(ledger.trial(study, 1).mlflow_run_id or "", "val/hmean")
        nan, *others = [point.value for point in sorted(history, key=lambda point: point.step)]
        assert math.isnan(nan)
        assert others == [GREATEST, -GREATEST, 0.5]


def test_only_what_is_new_is_sent_in_one_call_a_trial(
    ledger: Ledger, study: int, uri: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(ledger, study, uri, home)
    calls: list[tuple[str, int]] = []
    log_batch = MlflowClient.log_batch

    def counting(self: MlflowClient, run_id: str, metrics: Any = (), **given: Any) -> None:
        calls.append((run_id, len(metrics)))
        log_batch(self, run_id, metrics=metrics, **given)

    monkeypatch.setattr(MlflowClient, "log_batch", counting)
    sender = tracking._Sender(ledger, study, uri, home)
    assert str(sender.round()) == "0 trials with 0 reports sent, 0 runs made"
    assert calls == []
    for epoch in (8, 9):
        ledger.record(study, 5, Report(epoch, {"val/hmean": 0.5, "train/loss": 0.1}, 1.0, 2000.0 + epoch))
    assert sender.round().reports_sent == 2
    assert calls == [(ledger.trial(study, 5).mlflow_run_id, 6)]
    assert_equal(ledger, study, uri)


def test_more_than_mlflow_takes_at_once_comes_in_parts(ledger: Ledger, uri: str, home: Path) -> None:
    study = begin(ledger)
    ledger.add_trial(study, {f"p{i:03d}": i for i in range(230)})
    for epoch in range(1, 31):
        ledger.record(study, 1, Report(epoch, {f"m{i:02d}": i / epoch for i in range(60)}, 1.0, 1000.0 + epoch))
    sync(ledger, study, uri, home)
    assert_equal(ledger, study, uri)


def test_of_an_epoch_that_ran_again_the_later_value_counts(ledger: Ledger, uri: str, home: Path) -> None:
    study = begin(ledger)
    number = add(ledger, study, 3, None)
    sync(ledger, study, uri, home)
    ledger.record(study, number, Report(3, {"val/hmean": 0.25, "train/loss": 9.0}, 1.0, time.time()))
    tracking._Sender(ledger, study, uri, home).round()
    run = runs_of(uri)[number]
    assert run.data.metrics == {"val/hmean": 0.25, "train/loss": 9.0, "epoch_seconds": 1.0}
    assert len(MlflowClient(uri).get_metric_history(run.info.run_id, "val/hmean")) == 4


def test_a_trial_runs_only_while_its_study_runs(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    def states() -> tuple[str, str]:
        tracking._Sender(ledger, study, uri, home).round()
        runs = runs_of(uri)
        return runs[0].info.status, runs[5].info.status

    assert states() == ("SCHEDULED", "SCHEDULED")
    ledger.acquire(study, os.getpid(), HERE)
    assert states() == ("RUNNING", "RUNNING")
    ledger.finish(study, 5, State.PAUSED, "the deadline came")
    assert states() == ("RUNNING", "SCHEDULED")
    ledger.start_attempt(study, 5)
    assert states() == ("RUNNING", "RUNNING")
    ledger.finish(study, 5, State.COMPLETED)
    ledger.release(study, "finished")
    assert states() == ("FINISHED", "FINISHED")
    assert_equal(ledger, study, uri)


# Whatever happens to it


@pytest.mark.parametrize("victim", ["known_run", "seen"])
def test_a_process_that_dies_in_between_leaves_no_double(
    ledger: Ledger, study: int, uri: str, home: Path, victim: str
) -> None:
    dying = (
        "import os\n"
        "from orchestrator.ledger.marks import Marks\n"
        f"Marks.{victim} = lambda *a, **k: os.kill(os.getpid(), 9)\n"
        "tracking.sync(ledger, int(sys.argv[3]), sys.argv[2], home)\n"
    )
    assert python(dying, home, uri, study).returncode == -signal.SIGKILL
    tracking._Sender(ledger, study, uri, home).round()
    assert_equal(ledger, study, uri)


def test_a_run_that_was_made_twice_goes(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    sync(ledger, study, uri, home)
    client, run = MlflowClient(uri), runs_of(uri)[2]
    tags = {name: run.data.tags[name] for name in ("nightsweep.study", "nightsweep.trial")}
    client.create_run(run.info.experiment_id, tags=tags)  # as a server does that answered too late
    assert sync(ledger, study, uri, home).removed == 1
    assert_equal(ledger, study, uri)


def test_what_was_deleted_in_mlflow_comes_back(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    sync(ledger, study, uri, home)
    client, runs = MlflowClient(uri), runs_of(uri)
    client.delete_run(runs[2].info.run_id)
    client.delete_run(runs[0].info.run_id)
    sync(ledger, study, uri, home)
    assert_equal(ledger, study, uri)
    client.delete_experiment(runs[0].info.experiment_id)
    sync(ledger, study, uri, home)
    assert_equal(ledger, study, uri)
    assert {number: run.info.run_id for number, run in runs_of(uri).items()} == {
        n: r.info.run_id for n, r in runs.items()
    }


def test_a_running_study_heals_what_is_deleted_under_it(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    sync(ledger, study, uri, home)
    sender = tracking._Sender(ledger, study, uri, home)
    MlflowClient(uri).delete_run(ledger.trial(study, 5).mlflow_run_id)
    ledger.record(study, 5, Report(8, {"val/hmean": 0.5}, 1.0, 3000.0))
    with pytest.raises(Exception, match="must be in the 'active' state"):
        sender.round()
    sender.round()
    assert_equal(ledger, study, uri)


def test_a_lost_store_is_filled_anew(ledger: Ledger, study: int, uri: str, home: Path, fresh_store: Path) -> None:
    sync(ledger, study, uri, home)
    elsewhere = home.parent / "moved"
    elsewhere.mkdir()
    (home / "mlflow.db").rename(elsewhere / "mlflow.db")
    other = default_uri(elsewhere, None)
    sync(ledger, study, other, home)  # the same store in another place: its runs are found
    assert_equal(ledger, study, other)
    assert ledger.trial(study, 1).mlflow_run_id == runs_of(other)[1].info.run_id
    empty = home.parent / "empty"
    empty.mkdir()
    shutil.copy(fresh_store, empty / "mlflow.db")
    third = default_uri(empty, None)
    assert sync(ledger, study, third, home).runs_created == 6
    assert_equal(ledger, study, third)
    assert sync(ledger, study, other, home).runs_created == 0
    assert_equal(ledger, study, other)


def test_two_studies_that_bore_one_name_keep_an_experiment_each(
    ledger: Ledger, study: int, uri: str, home: Path
) -> None:
    sync(ledger, study, uri, home)
    ledger.rename_study("hrnet", "hrnet.2")
    new = begin(ledger)
    add(ledger, new, 2)
    sync(ledger, new, uri, home)
    sync(ledger, study, uri, home)
    assert_equal(ledger, new, uri, name="hrnet")
    assert_equal(ledger, study, uri, name="hrnet.2")
    assert runs_of(uri, "hrnet.2")[0].info.run_name == "hrnet.2"


def test_studies_of_two_homes_share_the_experiment_of_their_name(
    ledger: Ledger, study: int, uri: str, home: Path, tmp_path: Path
) -> None:
    other = Ledger(tmp_path / "other" / "ledger.db")
    for which, number in ((ledger, study), (other, begin(other))):
        sync(which, number, uri, home)
        sync(which, number, uri, home)
    client = MlflowClient(uri)
    (experiment,) = [e.experiment_id for e in client.search_experiments() if e.name != "Default"]
    parents = [run for run in client.search_runs([experiment]) if run.data.tags["nightsweep.trial"] == "0"]
    assert {run.info.run_id for run in parents} == {
        ledger.study("hrnet").mlflow_run_id,
        other.study("hrnet").mlflow_run_id,
    }
    other.close()


def test_only_one_process_sends_at_a_time(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    other = Ledger(home / "ledger.db")
    assert other.marks.begin(study) is None
    with pytest.raises(TrackingError, match=rf"hrnet: process {os.getpid()} on {HERE} is sending it just now"):
        sync(ledger, study, uri, home)
    other.marks.end(study)
    sync(ledger, study, uri, home)
    assert isinstance(ledger.marks, Marks)
    assert_equal(ledger, study, uri)
    other.close()


# In the background


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "ROUND_SECONDS", 0.1)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


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
    (line,) = said  # once, however often it was tried
    assert line == (
        f"MLflow at {away.replace('hunter2', '***')} takes nothing now: Connection refused; "
        "the study goes on, and `tune sync` sends what is missing"
    )
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
        "tracker = tracking.Tracker(home / 'ledger.db', int(sys.argv[3]), sys.argv[2], home, warn=print)\n"
        "print(tracker.close(), 'mlflow' in sys.modules)"
    )
    assert python(text, home, uri, study).stdout == "True False\n"


def test_importing_tracking_does_not_load_mlflow(home: Path) -> None:
    assert python("print('mlflow' in sys.modules, 'sqlalchemy' in sys.modules)", home).stdout == "False True\n"


def test_nothing_is_printed_and_nothing_left_in_the_current_folder(
    first_sync: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """From nothing: MLflow makes its tables, and would like to tell how."""
    home, done = first_sync
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list((home.parent / "work").iterdir()) == []
    assert {file.name for file in home.iterdir()} - {"ledger.db-wal", "ledger.db-shm"} == {"ledger.db", "mlflow.db"}
    ledger = Ledger(home / "ledger.db")
    assert_equal(ledger, ledger.study("hrnet").id, default_uri(home, None))
    ledger.close()


# A report, pages, a server


def test_a_report_lies_at_the_studys_own_run(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    directory = home / "hrnet" / "report"
    directory.mkdir(parents=True)
    for _ in range(2):
        (directory / "report.html").write_text(f"<html>{time.time()}</html>")
        (directory / "report.json").write_text(json.dumps({}))
        log_report(ledger, study, uri, home, directory)
    client, run_id = MlflowClient(uri), ledger.study("hrnet").mlflow_run_id or ""
    assert [file.path for file in client.list_artifacts(run_id, "report")] == [
        "report/report.html",
        "report/report.json",
    ]
    (kept,) = (home / "mlartifacts").rglob("report.html")
    assert kept.read_text() == (directory / "report.html").read_text()


@contextlib.contextmanager
def pages(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    text = (
        "import sys; from pathlib import Path; from orchestrator import tracking; home = Path(sys.argv[1])\n"
        "sys.exit(tracking.serve_ui(tracking.default_uri(home, None), home, int(sys.argv[2])))"
    )
    command = [sys.executable, "-c", text, str(home), str(port)]
    with open(home / "server.log", "wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: status_of(f"http://127.0.0.1:{port}/health") == 200, 120)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def status_of(address: str, **headers: str) -> int | None:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


@pytest.mark.timeout(300)  # two starts of a server
@pytest.mark.usefixtures("impatient")
def test_a_tracker_outlives_its_server(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    """Through HTTP to a real server, which is `tune ui` itself; killed and started again under way."""
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
    assert len(said) == 1
    assert_equal(ledger, study, uri)
    assert "Uvicorn running on http://127.0.0.1" in (home / "server.log").read_text()


def test_a_store_that_mlflow_does_not_know_is_said_in_one_line(ledger: Ledger, study: int, home: Path) -> None:
    with pytest.raises(TrackingError) as refused:
        sync(ledger, study, "ftp://ada:hunter2@host/x", home)
    assert str(refused.value).startswith("MLflow at ftp://ada:***@host/x: ")
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)
