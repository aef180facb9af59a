"""Checks that a store whose creation is killed is not left half created."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from orchestrator.tracking.mlflow_client import connect
from tests.harness.waiting import wait_for


def test_a_store_whose_maker_was_killed_is_not_there_at_all(home: Path) -> None:
    text = "import sys; from orchestrator.tracking import mlflow_client; mlflow_client.connect(sys.argv[1])"
    store = home / "mlflow.db"
    for _ in range(2):
        with subprocess.Popen([sys.executable, "-c", text, f"sqlite:///{store}"]) as maker:
            wait_for(lambda pid=maker.pid: [f for f in home.glob(f".mlflow.db.{pid}.*") if f.stat().st_size], 100)
            maker.kill()
        assert not store.exists()
        left = {file.name.split(".")[3] for file in home.iterdir()}
        assert left == {str(maker.pid)}  # What the one before left is gone.


def test_a_store_that_the_user_named_keeps_the_experiment_of_runs_that_name_none_and_the_home_s_own_has_none(
    home: Path,
):
    home.mkdir(exist_ok=True)
    named, own = f"sqlite:///{home}/team.db", f"sqlite:///{home}/mlflow.db"
    assert [each.name for each in connect(named, home).search_experiments()] == ["Default"]
    assert connect(own, home).search_experiments() == []
