"""Checks what `tune ui` prints; test_tracker.py opens the pages."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.ledger import Ledger
from orchestrator.tracking import TrackingError, default_uri, serve_ui, sync
from orchestrator.tracking.pages import study_pages
from orchestrator.trial import Objective


def test_a_server_has_its_own_pages(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve_ui("https://ada:hunter2@mlflow.example", home, 5000) == 0
    assert (
        capsys.readouterr().out == "https://ada:***@mlflow.example is a server with pages of its own: open them there\n"
    )


def test_a_taken_port_is_said(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError, match=rf"--port: must be free, but {port} is not \(.*\); try --port \d+"):
            serve_ui(default_uri(home, None), home, port)


def test_ctrl_c_ends_the_pages_as_it_was_told_to(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.call", interrupted)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert serve_ui(default_uri(home, None), home, port) == 0


def test_a_study_has_an_address_of_its_own_and_one_of_its_trials_best_first(
    ledger: Ledger, study: int, uri: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TrackingError, match="hrnet: must be in MLflow, but is not yet; type: tune sync hrnet"):
        serve_ui(uri, home, 5000, ledger, ledger.study("hrnet"))
    sync(ledger, study, uri, home)
    row = ledger.study("hrnet")
    below = f"https://mlflow.example/#/experiments/{row.mlflow_experiment_id}/runs"
    assert study_pages("https://mlflow.example/", row) == [
        f"{below}/{row.mlflow_run_id}?workflowType=machine_learning",
        f"{below}?workflowType=machine_learning&orderByKey=metrics.%60best%2Fval%2Fhmean%60&orderByAsc=false",
    ]
    assert study_pages("", replace(row, objective=Objective("loss", "min")))[1].endswith("%60&orderByAsc=true")
    assert serve_ui("https://mlflow.example", home, 5000, ledger, row) == 0
    assert f"the study: {below}/{row.mlflow_run_id}?workflowType=machine_learning\n" in capsys.readouterr().out
