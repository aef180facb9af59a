"""A study as `tune show --json` prints it, and its best config as a file that `tune train` accepts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.checkpoints import best_saved_epoch
from orchestrator.home import Home
from orchestrator.ledger import StudyRow
from orchestrator.manifest import CorruptCheckpoint
from orchestrator.space.search_space import as_fixed
from orchestrator.storage import Sizes, Storage, StorageError, place_of, storage_at
from orchestrator.study_file.yaml_file import write_yaml
from orchestrator.trial import Objective, Trial, best_trial


@dataclass(frozen=True)
class Kept:
    """The checkpoints of a study that are there. problem: why they cannot be looked at, if they cannot."""

    storage: Storage
    sizes: Sizes
    problem: str | None = None

    @staticmethod
    def of(row: StudyRow, home: Home) -> Kept:
        storage = storage_at(place_of(row.raw, row.uid), home.study(row.name))
        try:
            return Kept(storage, storage.sizes())
        except StorageError as error:
            return Kept(storage, {}, str(error))

    @property
    def count(self) -> int:
        return sum(map(len, self.sizes.values()))

    @property
    def bytes(self) -> int:
        return sum(size for epochs in self.sizes.values() for size in epochs.values())

    def best_epoch(self, trial: Trial, objective: Objective) -> int | None:
        return best_saved_epoch(trial, objective, self.sizes.get(trial.number, {}))

    def name(self, trial: Trial, objective: Objective, home: Home) -> str | None:
        """The best epoch's checkpoint, as a user would type it."""
        epoch = self.best_epoch(trial, objective)
        if epoch is None:
            return None
        name = self.storage.shown(trial.number, epoch)
        return name if "://" in name else home.shown(Path(name))


def study_summary(row: StudyRow, trials: list[Trial], home: Home, *, history: bool = False) -> dict[str, Any]:
    """The schema is a promise: docs/interface.md."""
    objective, kept = row.objective, Kept.of(row, home)
    best = best_trial(trials, objective)
    return {
        "study": row.name,
        "status": row.status,
        "reason": row.reason,
        "objective": {"metric": objective.metric, "mode": objective.mode},
        "seconds": round(row.seconds, 1),
        "trials": [_trial_summary(trial, objective, kept.name(trial, objective, home), history) for trial in trials],
        "best": None if best is None else _best_summary(best, objective, kept.name(best, objective, home)),
        "checkpoints": {"count": kept.count, "bytes": kept.bytes, "problem": kept.problem},
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
    }
    if history:
        summary["reports"] = [
            {"epoch": report.epoch, "epoch_seconds": report.seconds, **report.metrics} for report in trial.reports
        ]
    return summary


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


def best_config(row: StudyRow, trial: Trial, home: Home) -> str:
    """YAML: the study file's trainable, data and objective, every value of `space` fixed, and where it came from."""
    objective = row.objective
    best = trial.best_report(objective)
    assert best is not None
    value = best.metrics[objective.metric]
    raw = row.raw
    checkpoint, complaint = _checked(Kept.of(row, home), trial, objective, home)
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
            "checkpoint": checkpoint,
        },
    }
    content = {key: part for key, part in content.items() if part != {}}
    heading = f"# Trial {trial.number} of {row.name}: {objective.metric} {value:.4f} at epoch {best.epoch}.\n"
    if complaint is not None:
        heading += f"# {complaint}.\n"
    return heading + "# Train it again: tune train FILE\n" + write_yaml(content)


def _checked(kept: Kept, trial: Trial, objective: Objective, home: Home) -> tuple[str | None, str | None]:
    """The checkpoint to predict with, or what is wrong with it."""
    epoch, name = kept.best_epoch(trial, objective), kept.name(trial, objective, home)
    if epoch is None:
        return None, kept.problem
    try:
        kept.storage.check(trial.number, epoch)
    except (CorruptCheckpoint, StorageError) as error:
        return None, f"Its checkpoint {name} cannot be used: {error}"
    return name, None
