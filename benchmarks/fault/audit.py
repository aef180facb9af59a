"""Counts what a fault cost, from the diary and the tables of ledger and MLflow, without the code under test."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import sqlite3
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fault.diary import Begun
from benchmarks.fault.scene import Scene
from tests.toy import score_at

FINAL = ("completed", "pruned", "failed")
Result = dict[float, tuple[str, int, float]]  # lr -> state, epochs, best score
TOLERANCE = 1e-9  # of a score that was saved and loaded again and again


@dataclass(frozen=True)
class TrialRow:
    """Holds a trial as the ledger has it. reports: epoch -> metrics."""

    number: int
    lr: float
    state: str
    reason: str | None
    attempts: int
    config: dict[str, Any]
    reports: dict[int, dict[str, float]]

    @property
    def epochs(self) -> int:
        return max(self.reports, default=0)


@dataclass(frozen=True)
class Snapshot:
    """Holds the ledger at one instant, at which no driver lived."""

    at: float  # unix time
    trials: dict[float, TrialRow]  # by lr


@dataclass
class Losses:
    """Holds a line for each trial that was lost, and so on; empty where all is as it must be."""

    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)  # counted
    zombies: list[str] = field(default_factory=list)  # runs of MLflow that run for ever, or stand beside another
    lacking: list[str] = field(default_factory=list)  # in MLflow, or there but not in the ledger
    wrong: list[str] = field(default_factory=list)  # what else was promised of this fault

    def add(self, other: Losses) -> None:
        for kind in vars(self):
            getattr(self, kind).extend(getattr(other, kind))

    @property
    def lines(self) -> list[str]:
        return [*self.lost, *self.repeated, *self.twice, *self.zombies, *self.lacking, *self.wrong]


def select(database: str | Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of SQLite (a file) or of PostgreSQL (a URL).

    Of a file in a copy of it as it lies there: opened in its place, SQLite would mend what a killed process left.
    """
    if isinstance(database, Path):
        with tempfile.TemporaryDirectory() as folder:
            for file in database.parent.glob(f"{database.name}*"):
                shutil.copy(file, folder)
            with contextlib.closing(sqlite3.connect(Path(folder) / database.name)) as connection:
                return connection.execute(query).fetchall()
    import psycopg2

    with contextlib.closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def snapshot(scene: Scene) -> Snapshot:
    return Snapshot(time.time(), {trial.lr: trial for trial in trials_in(scene)})


def trials_in(scene: Scene) -> list[TrialRow]:
    """Returns those of the scene's study; [] before there is one."""
    with contextlib.suppress(sqlite3.OperationalError):  # no such table yet
        study = f"study_id = (SELECT id FROM studies WHERE name = '{scene.name}')"
        rows = select(
            scene.ledger,
            f"SELECT id, number, config, state, reason, attempts FROM trials WHERE {study} ORDER BY number",
        )
        mine = f"SELECT trial_id, epoch, metrics FROM reports WHERE trial_id IN (SELECT id FROM trials WHERE {study})"
        reports: dict[int, dict[int, dict[str, float]]] = defaultdict(dict)
        for trial_id, epoch, metrics in select(scene.ledger, mine):
            reports[trial_id][epoch] = json.loads(metrics)
        return [
            TrialRow(number, config["lr"], state, reason, attempts, config, reports[trial_id])
            for trial_id, number, config, state, reason, attempts in [
                (row[0], row[1], json.loads(row[2]), *row[3:]) for row in rows
            ]
        ]
    return []


def status_in(scene: Scene) -> str:
    return select(scene.ledger, f"SELECT status FROM studies WHERE name = '{scene.name}'")[0][0]


def points_in(scene: Scene) -> int:
    """Returns how many scores MLflow has; 0 while it has no tables."""
    with contextlib.suppress(sqlite3.OperationalError):
        return select(scene.mlflow, "SELECT count(*) FROM metrics WHERE key = 'val/score'")[0][0]
    return 0


def result_of(scene: Scene) -> Result:
    """Returns what must be the same without the fault."""
    return {
        trial.lr: (trial.state, trial.epochs, max((r["val/score"] for r in trial.reports.values()), default=math.nan))
        for trial in trials_in(scene)
    }


def same_result(one: Result, other: Result) -> bool:
    """Returns whether the trials, their ends and their scores are the same, and so the best."""
    return one.keys() == other.keys() and all(
        one[lr][:2] == other[lr][:2] and math.isclose(one[lr][2], other[lr][2], abs_tol=TOLERANCE) for lr in one
    )


def losses(scene: Scene, snapshots: Sequence[Snapshot] = (), *, ends: Sequence[str] = ("completed",)) -> Losses:
    """Counts after the end of the study. ends: the states in which its trials may be."""
    found, trials, begun = Losses(), trials_in(scene), scene.begun()
    _look_for_lost(found, scene, trials, begun, snapshots, ends)
    _look_for_repeated(found, begun, snapshots)
    _look_for_twice(found, scene, trials, begun)
    _look_at_mlflow(found, scene, trials)
    return found


def _look_for_lost(
    found: Losses,
    scene: Scene,
    trials: Sequence[TrialRow],
    begun: Sequence[Begun],
    snapshots: Sequence[Snapshot],
    ends: Sequence[str],
) -> None:
    now = {trial.lr: trial for trial in trials}
    numbers = [trial.number for trial in trials]
    if missing := set(range(1, scene.trials + 1)) - set(numbers):
        found.lost.append(f"no trial {sorted(missing)}")
    for lr in {line.lr for line in begun} - now.keys():
        found.lost.append(f"a trial of lr {lr:g} was trained, and the ledger has none")
    for snapshot in snapshots:
        for lr, before in snapshot.trials.items():
            if lr not in now or before.reports.keys() - now[lr].reports.keys():
                found.lost.append(f"trial {before.number} had {len(before.reports)} reports, and has not now")
    for trial in trials:
        if trial.state not in ends:
            found.lost.append(f"trial {trial.number} must end as {' or '.join(ends)}, but is {trial.state}")
        if sorted(trial.reports) != list(range(1, trial.epochs + 1)):
            found.lost.append(f"trial {trial.number} has the epochs {sorted(trial.reports)}")
        if trial.state == "completed" and trial.epochs != trial.config["epochs"]:
            found.lost.append(f"trial {trial.number} completed after {trial.epochs} epochs")
        for epoch, metrics in trial.reports.items():
            score = metrics["val/score"]
            if math.isfinite(score) and abs(score - score_at(trial.lr, epoch)) > TOLERANCE:
                found.lost.append(f"trial {trial.number} does not go on from what it learned, at epoch {epoch}")


def _look_for_repeated(found: Losses, begun: Sequence[Begun], snapshots: Sequence[Snapshot]) -> None:
    """Counts attempts that begin before the epoch in which the one before was cut off."""
    last: dict[float, Begun] = {}
    for line in begun:
        before = last.get(line.lr)
        if before is not None and line.attempt != before.attempt and line.epoch < before.epoch:
            found.repeated.append(f"lr {line.lr:g}: epoch {line.epoch} again, after epoch {before.epoch} had begun")
        last[line.lr] = line
    for earlier, snapshot in enumerate(snapshots):
        until = snapshots[earlier + 1].at if earlier + 1 < len(snapshots) else math.inf
        for line in begun:
            trial = snapshot.trials.get(line.lr)
            if trial is None or not snapshot.at < line.at <= until:
                continue
            if trial.state in FINAL:
                found.repeated.append(f"trial {trial.number} was {trial.state}, and epoch {line.epoch} began again")
            elif line.epoch <= trial.epochs:
                found.repeated.append(f"trial {trial.number}: epoch {line.epoch} again, and {trial.epochs} had counted")


def _look_for_twice(found: Losses, scene: Scene, trials: Sequence[TrialRow], begun: Sequence[Begun]) -> None:
    for lr, count in Counter(trial.lr for trial in trials).items():
        if count > 1:
            found.twice.append(f"{count} trials have lr {lr:g}")
    if len(trials) > scene.trials:
        found.twice.append(f"{len(trials)} trials, and the budget allows {scene.trials}")
    order: dict[float, list[str]] = defaultdict(list)
    for line in begun:
        attempts = order[line.lr]
        if line.attempt in attempts[:-1]:
            found.twice.append(f"two workers trained lr {line.lr:g} at the same time")
        elif line.attempt not in attempts:
            attempts.append(line.attempt)


def _look_at_mlflow(found: Losses, scene: Scene, trials: Sequence[TrialRow]) -> None:
    """Reads MLflow's own tables: what is not in its bin."""
    runs: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for run_id, status, number in select(
        scene.mlflow,
        "SELECT r.run_uuid, r.status, t.value FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid "
        "JOIN tags n ON n.run_uuid = r.run_uuid JOIN experiments e ON e.experiment_id = r.experiment_id "
        "WHERE r.lifecycle_stage = 'active' AND t.key = 'nightsweep.trial' AND n.key = 'mlflow.runName' "
        f"AND e.name = '{scene.name}'",
    ):
        runs[int(number)].append((run_id, status))
    for number, group in runs.items():
        if len(group) > 1:
            found.zombies.append(f"{len(group)} runs of trial {number}")
        if any(status == "RUNNING" for _, status in group):
            found.zombies.append(f"the run of trial {number} is RUNNING")
    points: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run_id, step, value, nan in select(
        scene.mlflow, "SELECT run_uuid, step, value, is_nan FROM metrics WHERE key = 'val/score'"
    ):
        points[run_id][step].append(math.nan if nan else value)
    words = {"completed": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "paused": "SCHEDULED"}
    if 0 not in runs:
        found.lacking.append("MLflow has no run of the study")
    for trial in trials:
        if trial.number not in runs:
            found.lacking.append(f"MLflow has no run of trial {trial.number}")
            continue
        run_id, status = runs[trial.number][0]
        if status != words[trial.state] and status != "RUNNING":
            found.lacking.append(f"trial {trial.number} is {trial.state}, and {status} in MLflow")
        there = points[run_id]
        if more := {step: values for step, values in there.items() if len(values) > 1}:
            found.twice.append(f"MLflow has the epochs {sorted(more)} of trial {trial.number} more than once")
        ours = {epoch: metrics["val/score"] for epoch, metrics in trial.reports.items()}
        if {step: repr(values[-1]) for step, values in there.items()} != {e: repr(v) for e, v in ours.items()}:
            found.lacking.append(f"MLflow has the epochs {sorted(there)} of trial {trial.number}, not {sorted(ours)}")
    for number in runs.keys() - {0} - {trial.number for trial in trials}:
        found.lacking.append(f"MLflow has a run of trial {number}, and the ledger no such trial")
