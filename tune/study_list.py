"""Lists the studies of a home: for a person as a table, for a program as JSON."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from orchestrator.ledger import StudyRow
from orchestrator.mistake import duration
from orchestrator.trial import Status, Trial, best_trial
from tune.fitted_table import Column, fitted
from tune.show import console, counting, states

Studies = Sequence[tuple[StudyRow, list[Trial]]]


def newest_first(studies: Studies) -> Studies:
    """Returns the studies by their last sign of life, the newest first."""
    return sorted(studies, key=lambda study: (-_last(study[0]), study[0].name))


def studies_json(studies: Studies) -> list[dict[str, Any]]:
    """Returns the studies as JSON data. docs/interface.md promises the schema: it must not change."""
    return [_study_json(row, trials) for row, trials in studies]


def _study_json(row: StudyRow, trials: list[Trial]) -> dict[str, Any]:
    objective = row.objective
    best = best_trial(trials, objective)
    report = None if best is None else best.best_report(objective)
    found = None
    if best is not None and report is not None:
        found = {"number": best.number, "value": report.metrics[objective.metric], "epoch": report.epoch}
    return {
        "study": row.name,
        "status": row.status,
        "reason": row.reason,
        "trainable": row.raw["trainable"],
        "objective": {"metric": objective.metric, "mode": objective.mode},
        "trials": len(trials),
        "states": dict(Counter(trial.state.value for trial in trials)),
        "best": found,
        "seconds": round(row.seconds, 1),
        "created": round(row.created, 3),
        "active": None if row.active is None else round(row.active, 3),
    }


def print_studies(studies: Studies) -> None:
    """Prints the studies as a table."""
    screen = console()
    bests = [best_trial(trials, row.objective) for row, trials in studies]
    values = [
        "" if best is None else f"{row.objective.metric} {best.value(row.objective):.4f}"
        for (row, _), best in zip(studies, bests, strict=True)
    ]
    columns = [
        Column("study", [row.name for row, _ in studies]),
        Column("status", [row.status for row, _ in studies]),
        Column("last active", [_moment(_last(row)) for row, _ in studies]),
        Column("value", values),
        Column("best", ["" if best is None else f"{best.number:04d}" for best in bests]),
        Column("trials", [str(len(counting(trials))) for _, trials in studies]),
        Column("states", [states(trials, live=row.status == Status.RUNNING) for row, trials in studies], yields=True),
        Column("time", [duration(row.seconds) for row, _ in studies], yields=True, whole=True),
        Column("begun", [_moment(row.created) for row, _ in studies], yields=True, whole=True),
        Column("trainable", [str(row.raw["trainable"]) for row, _ in studies], yields=True, whole=True),
    ]
    if studies:
        screen.print(fitted(columns, screen.width))


def _last(row: StudyRow) -> float:
    """Returns the unix time of the study's last sign of life; of its beginning where it had none."""
    return row.active or row.created


def _moment(unix: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(unix))
