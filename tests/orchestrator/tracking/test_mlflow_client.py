"""Checks that a store whose creation is killed is not left half created."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
