"""Compares MLflow with the ledger row by row, in MLflow's own database."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from orchestrator.ledger import Ledger
from orchestrator.ledger.mlflow_marks import Marks
from orchestrator.tracking import TrackingError, default_uri, sync
from orchestrator.tracking.sender import Sender
from orchestrator.trial import Report, State
from tests.harness.mlflow_runs import (
    GREATEST,
    HERE,
    add,
    assert_equal,
    begin,
    everything,
    points_of,
    python,
    runs_of,
)

# The same as in the ledger


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
        "best_trial": "5",
        "best_epoch": "7",
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
    sender = Sender(ledger, study, uri, home)
    assert (sender.missing(), sender.has_news()) == (None, False)
    assert calls == []
    for epoch in (8, 9):
        ledger.record(study, 5, Report(epoch, {"val/hmean": 0.5, "train/loss": 0.1}, 1.0, 2000.0 + epoch))
    assert sender.missing() == "1 trial with 2 reports"
    sender.round()
    assert str(sender.result) == "1 trials with 2 reports sent, 0 runs made"
    run_id = ledger.trial(study, 5).mlflow_run_id
    assert [call for call in calls if call[0] == run_id] == [(run_id, 6)]
    assert len(calls) <= 5  # To the study's own run and to those that have led: they may have kept a checkpoint.
    calls.clear()
    ledger.record(study, 5, Report(10, {"val/hmean": 0.4}, 1.0, 2010.0))
    sender.round()
    assert calls == [(run_id, 2)]
    assert_equal(ledger, study, uri)


def test_more_than_mlflow_takes_at_once_comes_in_parts(ledger: Ledger, uri: str, home: Path) -> None:
    study = begin(ledger)
    ledger.add_trial(study, {f"p{i:03d}": i for i in range(230)})
    for epoch in range(1, 31):
        ledger.record(study, 1, Report(epoch, {f"m{i:02d}": i / epoch for i in range(60)}, 1.0, 1000.0 + epoch))
    sync(ledger, study, uri, home)
    assert_equal(ledger, study, uri)


def test_an_epoch_that_ran_again_is_shown_once(ledger: Ledger, uri: str, home: Path) -> None:
    """Expects the last value of an epoch, and epochs to be repeated only once they are, or once the trial has ended."""
    study = begin(ledger)
    number = add(ledger, study, 4, None)
    sync(ledger, study, uri, home)
    ledger.start_attempt(study, number)
    ledger.record(study, number, Report(3, {"val/hmean": 0.25, "train/loss": 9.0}, 1.0, time.time()))
    sender = Sender(ledger, study, uri, home)
    sender.round()
    run = runs_of(uri)[number]
    assert run.data.metrics == {
        "val/hmean": 0.25,
        "train/loss": 9.0,
        "epoch_seconds": 1.0,
        "best/val/hmean": 1.02,
        "best_epoch": 2.0,
    }
    assert {step for *_, step in points_of(uri, run)} == {1, 2, 3}
    assert len(points_of(uri, run)) == 9 + 4
    assert sender.result.removed == 1
    ledger.finish(study, number, State.PAUSED, "the deadline came")
    sender.round()
    assert_equal(ledger, study, uri)
    assert runs_of(uri)[number].info.run_id == run.info.run_id


def test_a_trial_runs_only_while_its_study_runs(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    def states() -> tuple[str, str]:
        Sender(ledger, study, uri, home).round()
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


# Whatever happens to MLflow


@pytest.mark.parametrize("victim", ["known_run", "seen"])
def test_a_process_that_dies_in_between_leaves_no_double(
    ledger: Ledger, study: int, uri: str, home: Path, victim: str
) -> None:
    dying = (
        "import os\n"
        "from orchestrator.ledger.mlflow_marks import Marks\n"
        f"Marks.{victim} = lambda *a, **k: os.kill(os.getpid(), 9)\n"
        "sync(ledger, int(sys.argv[3]), sys.argv[2], home)\n"
    )
    assert python(dying, home, uri, study).returncode == -signal.SIGKILL
    Sender(ledger, study, uri, home).round()
    assert_equal(ledger, study, uri)


def test_a_run_that_was_made_twice_goes(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    sync(ledger, study, uri, home)
    client, run = MlflowClient(uri), runs_of(uri)[2]
    tags = {name: run.data.tags[name] for name in ("nightsweep.study", "nightsweep.trial")}
    client.create_run(run.info.experiment_id, tags=tags)  # A server that answered too late does this.
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
    sender = Sender(ledger, study, uri, home)
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
    sync(ledger, study, other, home)  # The same store has another address, and its runs are found.
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


def test_a_file_that_is_deleted_under_a_running_study_is_made_anew(
    ledger: Ledger, study: int, uri: str, home: Path
) -> None:
    sender = Sender(ledger, study, uri, home)
    sender.round()
    (home / "mlflow.db").unlink()
    # This holds in this process and in the next.
    assert sender.has_news() and Sender(ledger, study, uri, home).has_news()
    sender.round()
    assert_equal(ledger, study, uri)
    # It is that file, but the ledger knows nothing of it.
    with contextlib.closing(sqlite3.connect(home / "mlflow.db")) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (6,)


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
