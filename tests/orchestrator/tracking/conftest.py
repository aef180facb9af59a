"""A study to be shown, an empty MLflow database to show it in, and a tracker that does not wait long."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.ledger import Ledger
from orchestrator.tracking import default_uri, tracker
from orchestrator.trial import State
from tests.orchestrator.tracking.pictures import add, begin, python


@pytest.fixture(scope="session")
def first_sync(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A process that makes MLflow's tables, which takes seconds, in a home with an odd name, and sends a study there.

    Beside the home: `work`, its current folder, and `empty.db`, the store before that study.
    """
    folder = tmp_path_factory.mktemp("first")
    (folder / "work").mkdir()
    text = (
        "import os, shutil, orchestrator.tracking\n"
        "os.chdir(home.parent / 'work'); uri = orchestrator.tracking.default_uri(home, None)\n"
        "tracking.connect(uri).search_experiments()\n"
        "shutil.copy(home / 'mlflow.db', home.parent / 'empty.db')\n"
        "foreground.sync(ledger, ledger.study('hrnet').id, uri, home)\n"
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


@pytest.fixture
def study(ledger: Ledger) -> int:
    """One trial in each state, seven epochs each; the study is not running."""
    study = begin(ledger)
    add(ledger, study, 7, State.COMPLETED, baseline="best by hand", seed=3)
    for state in (State.PRUNED, State.FAILED, State.PAUSED, None):
        add(ledger, study, 7, state)
    ledger.set_test(study, 1, {"test/hmean": 0.75})
    return study


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "ROUND_SECONDS", 0.1)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
