"""A study as `tune show --json` prints it, and its best config as a file that `tune train` accepts."""

from __future__ import annotations

from typing import Any

from orchestrator.checkpoints import best_checkpoint
from orchestrator.home import Home
from orchestrator.ledger import StudyRow
from orchestrator.space.search_space import as_fixed
from orchestrator.study_file.yaml_file import write_yaml
from orchestrator.trial import Objective, Trial, best_trial


def study_summary(row: StudyRow, trials: list[Trial], home: Home, *, history: bool = False) -> dict[str, Any]:
    """The schema is a promise: docs/interface.md."""
    objective = row.objective
    best = best_trial(trials, objective)
    return {
        "study": row.name,
        "status": row.status,
        "reason": row.reason,
        "objective": {"metric": objective.metric, "mode": objective.mode},
        "seconds": round(row.seconds, 1),
        "trials": [_trial_summary(row, trial, objective, home, history) for trial in trials],
        "best": None if best is None else _best_summary(row, best, objective, home),
    }


def _trial_summary(row: StudyRow, trial: Trial, objective: Objective, home: Home, history: bool) -> dict[str, Any]:
    best = trial.best_report(objective)
    summary: dict[str, Any] = {
        "number": trial.number,
        "state": trial.state.value,
        "reason": trial.reason,
        "baseline": trial.baseline,
        "config": trial.config,
        "epochs": trial.epochs,
        "value": None if best is None else best.metrics[objective.metric],
        "best_epoch": None if best is None else best.epoch,
        "seconds": round(trial.seconds, 3),
        "checkpoint": _checkpoint(row, trial, objective, home),
        "mlflow_run_id": trial.mlflow_run_id,
        "test": dict(trial.test) if trial.test else None,
        "seed": trial.seed,
        "attempts": trial.attempts,
    }
    if history:
        summary["reports"] = [
            {"epoch": report.epoch, "epoch_seconds": report.seconds, **report.metrics} for report in trial.reports
        ]
    return summary


def _best_summary(row: StudyRow, trial: Trial, objective: Objective, home: Home) -> dict[str, Any]:
    best = trial.best_report(objective)
    assert best is not None
    return {
        "number": trial.number,
        "value": best.metrics[objective.metric],
        "epoch": best.epoch,
        "config": trial.config,
        "checkpoint": _checkpoint(row, trial, objective, home),
        "test": dict(trial.test) if trial.test else None,
    }


def _checkpoint(row: StudyRow, trial: Trial, objective: Objective, home: Home) -> str | None:
    """The folder of the best epoch's checkpoint, as a user would type it."""
    directory = best_checkpoint(home.study(row.name), trial, objective)
    return None if directory is None else home.shown(directory)


def best_config(row: StudyRow, trial: Trial, home: Home) -> str:
    """YAML: the study file's trainable, data and objective, every value of `space` fixed, and where it came from."""
    objective = row.objective
    best = trial.best_report(objective)
    assert best is not None
    value = best.metrics[objective.metric]
    raw = row.raw
    content = {
        "study": f"{row.name}-best",
        "trainable": raw["trainable"],
        "objective": {"metric": objective.metric, "mode": objective.mode},
        "data": raw.get("data", {}),
        "space": {name: as_fixed(value) for name, value in trial.config.items()},
        "search": {"seed": trial.seed},
        "resources": raw.get("resources", {}),
        "source": {
            "study": row.name,
            "trial": trial.number,
            "value": value,
            "epoch": best.epoch,
            "checkpoint": _checkpoint(row, trial, objective, home),
        },
    }
    content = {key: part for key, part in content.items() if part != {}}
    heading = f"# Trial {trial.number} of {row.name}: {objective.metric} {value:.4f} at epoch {best.epoch}.\n"
    return heading + "# Train it again: tune train FILE\n" + write_yaml(content)
