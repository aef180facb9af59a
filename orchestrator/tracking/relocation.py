"""Lets the artifacts of a home that was copied or moved lie in that home, and not in the one that it came from."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from orchestrator.tracking.projection import UID
from orchestrator.tracking.store import artifacts, file_of, is_embedded

_FOLDER = "/mlartifacts/"  # As `artifacts` ends; what follows is the name of an experiment.
_PATIENCE_SECONDS = 20.0  # Another process of ours may be writing.
# Each table of MLflow's that holds addresses below that of an experiment, with the column.
_BELOW = {"runs": "artifact_uri", "logged_models": "artifact_location"}


def bring_home(uri: str, home: Path, uids: Iterable[str]) -> int:
    """Makes the artifacts of these studies lie in `home` where MLflow's store does; returns how many lay elsewhere.

    MLflow writes down the absolute address of an experiment's artifacts when it makes the experiment. A copied store
    therefore still names the folder of the first home, and a report of the copy would be written there. MLflow has no
    call to change that address. uids: of the studies in this home's ledger; others that use this store keep theirs.
    """
    file, here = file_of(uri), artifacts(home)
    if file is None or not is_embedded(uri, home) or not file.exists():
        return 0
    with contextlib.closing(sqlite3.connect(file, timeout=_PATIENCE_SECONDS)) as store:
        known = {name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"experiments", "experiment_tags"} <= known:  # MLflow has not made its tables yet.
            return 0
        found = store.execute(
            "SELECT e.experiment_id, e.artifact_location, t.value FROM experiments e "
            "JOIN experiment_tags t ON t.experiment_id = e.experiment_id AND t.key = ?",
            (UID,),
        ).fetchall()
        ours, moved = set(uids), 0
        for experiment, location, uid in found:
            old, folder, name = (location or "").rpartition(_FOLDER)
            there = old + folder[:-1]
            if uid not in ours or not name or not old.startswith("file:") or there == here:
                continue
            with store:
                store.execute(
                    "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
                    (f"{here}/{name}", experiment),
                )
                for table, column in _BELOW.items():
                    if table in known:
                        store.execute(
                            f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                            f"WHERE experiment_id = ? AND substr({column}, 1, ?) = ?",
                            (here, len(there) + 1, experiment, len(there) + 1, f"{there}/"),
                        )
            moved += 1
    return moved
