"""Describes a study as `tune show --json` prints it, and its best config as a file that `tune train` accepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.checkpoints.inventory import Inventory
from orchestrator.home import Home
from orchestrator.ledger import StudyRow
from orchestrator.mistake import one_line
from orchestrator.space.search_space import as_fixed
from orchestrator.step import Step
from orchestrator.study.budget import used_of
from orchestrator.study.failures import every_failure
from orchestrator.study_file.yaml_file import write_yaml
from orchestrator.trial import Objective, Trial, best_trial
from orchestrator.typed_command import command
from reports.numbers.symptoms import symptom_of


def study_summary(
    row: StudyRow,
    trials: list[Trial],
    home: Home,
    *,
    steps: Sequence[Step] = (),
    gpu_seconds: float = 0.0,
    history: bool = False,
) -> dict[str, Any]:
    """Returns a study as JSON data. docs/interface.md promises the schema: it must not change.

    gpu_seconds: of all attempts. history: with every report.
    """
    objective, inventory = row.objective, Inventory.of(row.raw, row.uid, row.name, home)
    best = best_trial(trials, objective)
    return {
        "study": row.name,
        "status": row.status,
        "reason": row.reason,
        "objective": {"metric": objective.metric, "mode": objective.mode},
        "seconds": round(row.seconds, 1),
        "used": used_of(row, trials, gpu_seconds),
        "failures": every_failure(trials),
        "trials": [
            _trial_summary(trial, objective, inventory.best_address(trial, objective), history) for trial in trials
        ],
        "steps": [_step_summary(step) for step in steps],
        "best": None if best is None else _best_summary(best, objective, inventory.best_address(best, objective)),
        "code_changes": row.facts.get("code_changes", []),
        "checkpoints": {"count": inventory.count, "bytes": inventory.bytes, "problem": inventory.error},
    }


def _trial_summary(trial: Trial, objective: Objective, checkpoint: str | None, history: bool) -> dict[str, Any]:
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
        "checkpoint": checkpoint,
        "mlflow_run_id": trial.mlflow_run_id,
        "test": dict(trial.test) if trial.test else None,
        "seed": trial.seed,
        "attempts": trial.attempts,
        "origin": trial.origin,
        "left_out": trial.left_out,
        "extended": [asdict(extension) for extension in trial.extended],
        "symptom": None if (symptom := symptom_of(trial, objective)) is None else str(symptom),
    }
    if history:
        summary["reports"] = [
            {
                "epoch": report.epoch,
                "epoch_seconds": report.seconds,
                **report.metrics_beside("epoch", "epoch_seconds"),
            }
            for report in trial.reports
        ]
    return summary


def _step_summary(step: Step) -> dict[str, Any]:
    return {
        "kind": step.kind.value,
        "trial": step.trial,
        "epoch": step.epoch,
        "state": step.state.value,
        "reason": step.reason,
        "attempts": step.attempts,
        "result": None if step.result is None else dict(step.result),
    }


def _best_summary(trial: Trial, objective: Objective, checkpoint: str | None) -> dict[str, Any]:
    best = trial.best_report(objective)
    assert best is not None
    return {
        "number": trial.number,
        "value": best.metrics[objective.metric],
        "epoch": best.epoch,
        "config": trial.config,
        "checkpoint": checkpoint,
        "test": dict(trial.test) if trial.test else None,
    }


def best_config(row: StudyRow, trial: Trial, home: Home, file: str = "best.yaml") -> str:
    """Returns YAML: the study's trainable, data and objective, every value of `space` fixed, and where it came from.

    file: as it will be called.
    """
    objective = row.objective
    best = trial.best_report(objective)
    assert best is not None
    value = best.metrics[objective.metric]
    raw = row.raw
    checkpoint, warning = Inventory.of(raw, row.uid, row.name, home).verified_best_address(trial, objective)
    content = {
        "study": f"{row.name[:95]}-best",  # A name has at most 100 characters.
        "trainable": raw["trainable"],
        "objective": {"metric": objective.metric, "mode": objective.mode},
        "data": raw.get("data", {}),
        "space": {name: as_fixed(value) for name, value in trial.config.items()},
        "search": {"seed": trial.seed},
        "resources": raw.get("resources", {}),
        "storage": raw.get("storage"),
        "source": {
            "study": row.name,
            "trial": trial.number,
            "value": value,
            "epoch": best.epoch,
            "checkpoint": checkpoint,
        },
    }
    content = {key: part for key, part in content.items() if part not in ({}, None)}
    said = [f"Trial {trial.number} of {row.name}: {objective.metric} {value:.4f} at epoch {best.epoch}."]
    if warning is not None:
        said.append(f"{warning[0].upper()}{warning[1:]}.")
    # Whatever a metric is called, its line stays a comment.
    said.append(f"Train it again: {command(home, 'train', file)}")
    return "".join(f"# {one_line(line, 1000)}\n" for line in said) + write_yaml(content)
