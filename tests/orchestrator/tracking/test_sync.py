"""Checks that what is sent while somebody waits comes to an end, well or not."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.ledger import Ledger
from orchestrator.tracking import TrackingError, forget, log_report, sync
from orchestrator.tracking.sender import Sender
from orchestrator.trial import Report
from tests.harness.mlflow_runs import FACTS, assert_equal
from tests.harness.waiting import wait_for


def test_a_report_lies_at_the_studys_own_run(ledger: Ledger, study: int, uri: str, home: Path) -> None:
    directory = home / "hrnet" / "report"
    directory.mkdir(parents=True)
    for _ in range(2):
        (directory / "report.html").write_text(f"<html>{time.time()}</html>")
        (directory / "report.json").write_text(json.dumps({}))
        (directory / "pages.zip").write_text("the user's own")
        log_report(ledger, study, uri, home, [directory / "report.html", directory / "report.json"])
    client, run_id = MlflowClient(uri), ledger.study("hrnet").mlflow_run_id or ""
    assert [file.path for file in client.list_artifacts(run_id, "report")] == [
        "report/report.html",
        "report/report.json",
    ]
    (kept,) = (home / "mlartifacts").rglob("report.html")
    assert kept.read_text() == (directory / "report.html").read_text()


def test_the_verdict_is_the_runs_description_until_somebody_writes_another(
    ledger: Ledger, study: int, uri: str, home: Path
) -> None:
    client = MlflowClient(uri)

    def described(text: str) -> str:
        log_report(ledger, study, uri, home, [], description=text)
        return client.get_run(ledger.study("hrnet").mlflow_run_id or "").data.tags["mlflow.note.content"]

    assert described("**Trial 5 leads.**") == "**Trial 5 leads.**"
    assert described("**Trial 6 leads.**") == "**Trial 6 leads.**"
    run_id = ledger.study("hrnet").mlflow_run_id or ""
    facts = json.loads(Path(client.download_artifacts(run_id, "environment.json")).read_text())
    assert facts == FACTS
    client.set_tag(run_id, "mlflow.note.content", "mine")
    assert described("**Trial 7 leads.**") == "mine"
    client.set_tag(run_id, "mlflow.note.content", "")  # What is deleted may be written again.
    assert described("**Trial 8 leads.**") == "**Trial 8 leads.**"
    sync(ledger, study, uri, home)
    assert client.get_run(run_id).data.tags["mlflow.note.content"] == "**Trial 8 leads.**"


@pytest.mark.usefixtures("impatient")
def test_a_server_that_hangs_is_given_up_in_time(ledger: Ledger, study: int, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        address = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        with pytest.raises(TrackingError, match=f"MLflow at {address}: took longer than 1 s"):
            log_report(ledger, study, address, home, [], timeout=1)
        with contextlib.closing(Ledger(home / "ledger.db")) as other:
            wait_for(lambda: not other.marks.begin(study))
            with pytest.raises(TrackingError, match=f"MLflow at {address}: still takes the trials, and no report yet"):
                log_report(ledger, study, address, home, [])
            other.marks.end(study)
        with pytest.raises(TrackingError, match=f"MLflow at {address}: timed out"):
            sync(ledger, study, address, home)


def test_a_trial_that_mlflow_does_not_take_does_not_keep_back_the_others(
    ledger: Ledger, study: int, uri: str, home: Path
) -> None:
    sync(ledger, study, uri, home)
    for number in (2, 3, 4):
        ledger.record(study, number, Report(8, {"val/hmean": 0.5}, 1.0, 1795257000.0))
    with contextlib.closing(sqlite3.connect(home / "mlflow.db", isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON metrics BEGIN SELECT RAISE(ABORT, 'out of order') "
            f"WHERE new.run_uuid = '{ledger.trial(study, 3).mlflow_run_id}'; END"
        )
        with pytest.raises(TrackingError, match=r"trial 3: .*out of order"):
            sync(ledger, study, uri, home)
        other.execute("DROP TRIGGER refuse")
    assert Sender(ledger, study, uri, home).missing() == "1 trial with 8 reports"
    sync(ledger, study, uri, home)
    assert_equal(ledger, study, uri)


def test_a_store_that_mlflow_does_not_know_is_said_in_one_line(ledger: Ledger, study: int, home: Path) -> None:
    with pytest.raises(TrackingError) as refused:
        sync(ledger, study, "ftp://ada:hunter2@host/x", home)
    assert str(refused.value).startswith("MLflow at ftp://ada:***@host/x: ")
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_study_that_is_forgotten_is_deleted_and_a_sync_brings_it_back(
    ledger: Ledger, study: int, uri: str, home: Path
) -> None:
    sync(ledger, study, uri, home)
    row, client = ledger.study("hrnet"), MlflowClient(uri)
    other = client.create_run(row.mlflow_experiment_id or "")
    for _ in range(2):
        forget(row, uri)
        left = [run.info.run_id for run in client.search_runs([row.mlflow_experiment_id or ""])]
        assert left == [other.info.run_id]  # somebody else's
    client.delete_run(other.info.run_id)
    forget(row, uri)
    assert client.get_experiment(row.mlflow_experiment_id or "").lifecycle_stage == "deleted"
    sync(ledger, study, uri, home)
    client.delete_run(other.info.run_id)  # MLflow restores it with the experiment.
    assert_equal(ledger, study, uri)
