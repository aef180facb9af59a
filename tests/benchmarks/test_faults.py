"""The shortened matrix of faults, and whether its audit sees what it is to see."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.fault import audit
from benchmarks.fault.audit import Losses
from benchmarks.fault.scene import Scene
from tests.toy import score_at

LRS, EPOCHS = (0.1, 0.01, 0.001), 3
TABLES = """
CREATE TABLE studies (id INTEGER, name TEXT, status TEXT);
CREATE TABLE trials (
    id INTEGER, study_id INTEGER, number INTEGER, config TEXT, state TEXT, reason TEXT, attempts INTEGER
);
CREATE TABLE reports (trial_id INTEGER, epoch INTEGER, metrics TEXT);
CREATE TABLE experiments (experiment_id INTEGER, name TEXT);
CREATE TABLE runs (run_uuid TEXT, status TEXT, lifecycle_stage TEXT, experiment_id INTEGER);
CREATE TABLE tags (run_uuid TEXT, key TEXT, value TEXT);
CREATE TABLE metrics (run_uuid TEXT, key TEXT, step INTEGER, value REAL, is_nan INTEGER);
"""


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_study_to_which_one_thing_happens_after_another_ends_as_an_undisturbed_one(repository: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.faults", "--quick"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A study of three trials that went well, in the ledger, in MLflow and in the diary, in tables made by hand."""
    scene = Scene(tmp_path / "scene", space={"epochs": EPOCHS}, budget={"trials": len(LRS)})
    scene.home.mkdir()
    rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in ("trials", "reports", "runs", "tags", "metrics")}
    for number, lr in enumerate((None, *LRS)):
        rows["runs"].append((f"run {number}", "FINISHED", "active", 1))
        rows["tags"] += [
            (f"run {number}", "nightsweep.trial", str(number)),
            (f"run {number}", "mlflow.runName", "name"),
        ]
        if lr is None:  # the study's own run
            continue
        rows["trials"].append((number, 1, number, json.dumps({"lr": lr, "epochs": EPOCHS}), "completed", None, 1))
        for epoch in range(1, EPOCHS + 1):
            score = score_at(lr, epoch)
            rows["reports"].append((number, epoch, json.dumps({"val/score": score})))
            rows["metrics"].append((f"run {number}", "val/score", epoch, score, 0))
            begin(scene, lr, epoch, f"attempt of {lr}")
    for file in (scene.ledger, scene.mlflow):
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.executescript(TABLES)
            connection.execute("INSERT INTO studies VALUES (1, 'study', 'finished')")
            connection.execute("INSERT INTO experiments VALUES (1, 'study')")
            for table, values in rows.items():
                connection.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(values[0]))})", values)
    return scene


def begin(scene: Scene, lr: float, epoch: int, attempt: str) -> None:
    """A further line of the diary."""
    line = {"lr": lr, "epoch": epoch, "attempt": attempt, "pid": 1, "at": time.time()}
    with scene.diary.open("a") as diary:
        diary.write(json.dumps(line) + "\n")


def change(file: Path | str, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def test_where_nothing_was_lost_the_audit_finds_nothing(scene: Scene) -> None:
    assert audit.losses(scene, [audit.snapshot(scene)]).lines == []


def test_an_epoch_cut_off_may_begin_again(scene: Scene) -> None:
    begin(scene, 0.1, EPOCHS, "another attempt")
    assert audit.losses(scene).lines == []


@pytest.mark.parametrize(
    "kind, spoil",
    [
        ("lost", lambda s: change(s.ledger, "DELETE FROM trials WHERE number = 2")),
        ("lost", lambda s: change(s.ledger, "UPDATE trials SET state = 'paused' WHERE number = 2")),
        ("lost", lambda s: change(s.ledger, "DELETE FROM reports WHERE trial_id = 2 AND epoch = 1")),
        ("lost", lambda s: begin(s, 0.5, 1, "of a trial that the ledger has not")),
        ("repeated", lambda s: begin(s, 0.1, EPOCHS - 1, "another attempt")),
        ("twice", lambda s: begin(s, 0.1, EPOCHS, "another attempt") or begin(s, 0.1, EPOCHS, "attempt of 0.1")),
        ("twice", lambda s: change(s.ledger, "INSERT INTO trials SELECT 4, 1, 4, config, state, '', 1 FROM trials")),
        ("twice", lambda s: change(s.mlflow, "INSERT INTO metrics VALUES ('run 1', 'val/score', 1, 0.5, 0)")),
        ("zombies", lambda s: change(s.mlflow, "UPDATE runs SET status = 'RUNNING' WHERE run_uuid = 'run 2'")),
        ("zombies", lambda s: change(s.mlflow, "UPDATE tags SET value = '1' WHERE run_uuid = 'run 2' AND value = '2'")),
        ("lacking", lambda s: change(s.mlflow, "UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = 'run 2'")),
        ("lacking", lambda s: change(s.mlflow, "DELETE FROM metrics WHERE run_uuid = 'run 2' AND step = 2")),
    ],
)
def test_the_audit_sees(scene: Scene, kind: str, spoil: Callable[[Scene], None]) -> None:
    spoil(scene)
    assert getattr(audit.losses(scene), kind)


def test_a_report_that_was_there_after_a_crash_must_be_there_at_the_end(scene: Scene) -> None:
    snapshot = audit.snapshot(scene)
    change(scene.ledger, f"DELETE FROM reports WHERE trial_id = 2 AND epoch = {EPOCHS}")
    assert audit.losses(scene, [snapshot]).lost


def test_what_was_final_at_a_crash_must_not_begin_again(scene: Scene) -> None:
    snapshot = audit.snapshot(scene)
    begin(scene, 0.1, EPOCHS, "another attempt")
    assert audit.losses(scene, [snapshot]).repeated


def test_a_resumed_trial_must_go_on_from_what_it_learned(scene: Scene) -> None:
    change(scene.ledger, "UPDATE reports SET metrics = '{\"val/score\": 0.4}' WHERE trial_id = 1 AND epoch = 2")
    assert audit.losses(scene).lost


def test_results_are_the_same_only_with_the_same_trials_ends_and_scores(scene: Scene) -> None:
    before = audit.result_of(scene)
    assert audit.same_result(before, audit.result_of(scene))
    change(scene.ledger, "UPDATE trials SET state = 'pruned' WHERE number = 3")
    assert not audit.same_result(before, audit.result_of(scene))
    assert Losses().lines == []
