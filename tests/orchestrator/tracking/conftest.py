"""Provides a study to show in MLflow, an empty MLflow database, and trackers that do not wait long."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.ledger import Ledger
from orchestrator.tracking import default_uri, tracker
from orchestrator.trial import State
from tests.harness.mlflow_runs import add, begin, python
from tests.harness.mlflow_server import FaultyProxy, Server, mlflow_server, new_database


@pytest.fixture(scope="session")
def first_sync(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Returns a home with an odd name, and the process that created MLflow's tables there and sent a study.

    Beside the home lie `work`, the process's current folder, and `empty.db`, the store before it had the study.
    """
    folder = tmp_path_factory.mktemp("first")
    (folder / "work").mkdir()
    text = (
        "import os, shutil, orchestrator.tracking\n"
        "os.chdir(home.parent / 'work'); uri = orchestrator.tracking.default_uri(home, None)\n"
        "mlflow_client.connect(uri).search_experiments()\n"
        "shutil.copy(home / 'mlflow.db', home.parent / 'empty.db')\n"
        "sync(ledger, ledger.study('hrnet').id, uri, home)\n"
    )
    home = folder / "ein Heim #1 100% 홈"
    ledger = Ledger(home / "ledger.db")
    add(ledger, begin(ledger), 7)
    ledger.close()
    return home, python(text, home)


@pytest.fixture
def fresh_store(first_sync: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """Returns an MLflow database without runs."""
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


@pytest.fixture
def study(ledger: Ledger) -> int:
    """Adds a study that does not run, with a trial of seven epochs in each state; returns its id."""
    study = begin(ledger)
    add(ledger, study, 7, State.COMPLETED, baseline="best by hand", seed=3)
    for state in (State.PRUNED, State.FAILED, State.PAUSED, None):
        add(ledger, study, 7, state)
    ledger.set_test(study, 1, {"test/hmean": 0.75})
    return study


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets trackers send ten times a second."""
    monkeypatch.setattr(tracker, "ROUND_SECONDS", 0.1)
    monkeypatch.setattr(tracker, "LONGEST_PAUSE_SECONDS", 0.4)


@pytest.fixture
def impatient(prompt: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets trackers, besides, not wait long for an answer."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    request: pytest.FixtureRequest,
    first_sync: tuple[Path, subprocess.CompletedProcess[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """Runs a real MLflow server over each kind of database, for all tests of a module."""
    folder = tmp_path_factory.mktemp("server")
    if request.param == "sqlite":
        shutil.copy(first_sync[0].parent / "empty.db", folder / "mlflow.db")
        store = default_uri(folder, None)
    else:
        store = new_database(request.getfixturevalue("postgresql"))
    with mlflow_server(store, folder) as address:
        yield Server(address, store)


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(server.address)
    yield proxy
    proxy.close()
