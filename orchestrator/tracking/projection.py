"""Computes what MLflow's runs of a study and its trials should hold: names, params, tags, points, statuses.

MLflow never deletes a point of a metric. A trial that repeats epochs which were already sent therefore gets a new run
with the points that are valid.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.ledger.rows import StudyRow, storable
from orchestrator.secret import mask
from orchestrator.space.membership import LIMIT
from orchestrator.tracking.best_so_far import BEST_EPOCH, Point, best_name, milliseconds
from orchestrator.tracking.names import NAME_LENGTH, told_apart
from orchestrator.trial import Objective, Report, State, Trial

UID = "nightsweep.study"  # Tag of runs and experiments: the ledger's id of the study.
EPOCH_SECONDS = "epoch_seconds"  # Metric of every report.
NUMBER = "nightsweep.trial"  # Tag of runs: the trial's number; 0 on the study's own run.
PARAM_LENGTH = 6000  # Characters; MLflow takes no more.
TAG_LENGTH = 5000
POINTS_AT_ONCE, PAIRS_AT_ONCE = 800, 100  # MLflow takes 1000 points, params and tags in one call.
BYTES_AT_ONCE = 900_000  # Some servers take a million.
# The facts by which runs are looked for. Those of the machine and of versions would fill the page of a run.
_FACTS = ("git_commit", "git_dirty", "data_fingerprint", "code_fingerprint", "host", "command")
# These never change in a study.
_ONCE = ("trainable", "objective", "data", "space", "constraints", "search", "scheduler")


def status_of(state: State, *, study_runs: bool) -> str:
    """Returns MLflow's status of a trial.

    A paused trial, and one whose driver is gone, is SCHEDULED, which in MLflow is a run that is to run later. Only what
    runs is RUNNING, so that no run shows as running for ever.
    """
    if state is State.RUNNING:
        return "RUNNING" if study_runs else "SCHEDULED"
    return {
        State.PAUSED: "SCHEDULED",
        State.COMPLETED: "FINISHED",
        State.PRUNED: "KILLED",
        State.FAILED: "FAILED",
    }[state]


def study_status(row: StudyRow) -> str:
    """Returns MLflow's status of the study's own run."""
    return {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED"}.get(row.status, "SCHEDULED")


def trial_name(trial: Trial) -> str:
    """Returns the name of the trial's run: its number and, if it is one, its baseline."""
    return f"{trial.number:04d} {trial.baseline or ''}".strip()[:NAME_LENGTH]


def trial_params(trial: Trial) -> dict[str, str]:
    """Returns the config with which the trial began. MLflow changes no param; a tag says how a trial was extended."""
    begun = {LIMIT: trial.extended[0].limit} if trial.extended else {}
    return _params(trial.config | begun)


def trial_tags(trial: Trial, row: StudyRow) -> dict[str, str]:
    """Returns the trial's state, its facts, and where it comes from."""
    told = {"retried": trial.retried, "accumulation_steps": trial.accumulation_steps} | dict(trial.facts)
    facts = {f"trial.{name}": value for name, value in flat(told)}
    return _tags(
        {
            UID: row.uid,
            NUMBER: trial.number,
            "mlflow.source.type": "LOCAL",
            "mlflow.source.name": row.facts.get("file") or row.name,
            "mlflow.source.git.commit": row.facts.get("git_commit"),
            "mlflow.user": row.facts.get("user"),
            "trial": trial.number,
            "state": trial.state.value,
            "reason": trial.reason or "",
            "error": _text(trial.error or "")[-TAG_LENGTH:],  # Its end says most.
            "baseline": trial.baseline or "",
            "origin": trial.origin,
            "left_out": trial.left_out or "",
            "extended": "; ".join(map(str, trial.extended)) or None,
            "seed": trial.seed,
            "attempts": trial.attempts,
            "git_commit": row.facts.get("git_commit"),
            "data_fingerprint": row.facts.get("data_fingerprint"),
            "code_fingerprint": row.facts.get("code_fingerprint"),
            **facts,
        }
    )


def study_params(row: StudyRow) -> dict[str, str]:
    """Returns what never changes in a study. Each domain of the space is one param, such as `space.lr`."""
    params: dict[str, Any] = {}
    for section in _ONCE:
        value = row.raw.get(section)
        if isinstance(value, Mapping):
            params.update({f"{section}.{name}": part for name, part in value.items()})
        elif value is not None:
            params[section] = value
    return _params(params)


def study_tags(row: StudyRow) -> dict[str, str]:
    """Returns the study's status, its budget, and which code and data it ran on; `environment` holds what else."""
    asked = {name: row.raw.get(name) for name in ("budget", "resources")}
    return _tags(
        {
            UID: row.uid,
            NUMBER: 0,
            "mlflow.source.type": "LOCAL",
            "mlflow.source.name": row.facts.get("file") or row.name,
            "mlflow.source.git.commit": row.facts.get("git_commit"),
            "mlflow.user": row.facts.get("user"),
            "study": row.name,
            "status": row.status,
            "reason": row.reason or "",
            "trainable": row.raw.get("trainable"),
            "objective": f"{row.objective.metric} {row.objective.mode}",
            **dict(flat(asked)),
            **{name: row.facts.get(name) for name in _FACTS},
        }
    )


def environment(row: StudyRow) -> dict[str, Any]:
    """Returns all facts of the study's first start, as plain data: versions, machine, command, settings."""
    return {name: json.loads(_text({name: value}))[name] for name, value in row.facts.items() if value is not None}


def best_tags(best: Trial, objective: Objective, checkpoint: str) -> dict[str, str]:
    """Returns which trial is the study's best, at which epoch, and where its checkpoint lies."""
    report = best.best_report(objective)
    return _tags(
        {"best_trial": best.number, "best_epoch": report.epoch if report else None, "checkpoint": _text(checkpoint)}
    )


def valid_reports(trial: Trial) -> tuple[Report, ...]:
    """Returns the reports that count; those of epochs that a running trial is about to repeat do not."""
    if trial.state is not State.RUNNING:
        return trial.reports
    kept: list[Report] = []
    for report in trial.reports:
        if not kept or report.at >= kept[-1].at:
            kept.append(report)
    return tuple(kept)


def points_of(reports: Iterable[Report], objective: Objective) -> list[Point]:
    """Returns every metric of every report, and the epoch's seconds, at the time of the report.

    A metric of the trainable's that is called as one of ours gets another name, the same as in `tune show --history`.
    """
    ours = {EPOCH_SECONDS, BEST_EPOCH, best_name(objective)}
    return [
        Point(name, value, milliseconds(report.at), report.epoch)
        for report in reports
        for name, value in {
            EPOCH_SECONDS: report.seconds,
            **_named(report.metrics_beside("epoch", EPOCH_SECONDS), ours),
        }.items()
    ]


def test_points(trial: Trial, objective: Objective) -> list[Point]:
    """Returns the scores on the test split, at the epoch of the scored checkpoint and the time of its report."""
    best = trial.best_report(objective)
    if not trial.test or best is None:
        return []
    return [Point(name, value, milliseconds(best.at), best.epoch) for name, value in _named(trial.test).items()]


@dataclass(frozen=True)
class Batch:
    """Holds what is sent to a run in one call."""

    points: list[Point] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def batches(points: Iterable[Point], params: Mapping[str, str], tags: Mapping[str, str]) -> list[Batch]:
    """Splits points, params and tags into as few calls as MLflow's limits allow; none if there is nothing to send."""
    made: list[Batch] = []
    size = BYTES_AT_ONCE

    def room(weight: int, kind: str, limit: int) -> Batch:
        nonlocal size
        if size + weight > BYTES_AT_ONCE or len(getattr(made[-1], kind)) >= limit:
            made.append(Batch())
            size = 0
        size += weight
        return made[-1]

    for point in points:
        room(_bytes(point.name), "points", POINTS_AT_ONCE).points.append(point)
    for name, value in params.items():
        room(_bytes(name, value), "params", PAIRS_AT_ONCE).params[name] = value
    for name, value in tags.items():
        room(_bytes(name, value), "tags", PAIRS_AT_ONCE).tags[name] = value
    return made


def _bytes(*texts: str) -> int:
    """Returns an upper bound of the bytes as JSON, where a character outside ASCII is one or two \\uXXXX."""
    return 100 + sum(len(text) * (2 if text.isascii() else 12) for text in texts)


def digest(*parts: Any) -> str:
    """Returns a SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


# Text that MLflow takes


def param_text(value: Any) -> str:
    """Returns a value as text of at most PARAM_LENGTH characters."""
    text = _text(value)
    if len(text) <= PARAM_LENGTH:
        return text
    note = f" ... ({len(text)} characters in all)"
    return text[: PARAM_LENGTH - len(note)] + note


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Yields the values below their dotted names: {"budget": {"trials": 4}} gives ("budget.trials", 4)."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value


def _params(values: Mapping[str, Any]) -> dict[str, str]:
    names = told_apart(values)
    return {names[name]: param_text(value) for name, value in values.items()}


def _tags(values: Mapping[str, Any]) -> dict[str, str]:
    names = told_apart(values)
    return {names[name]: _text(value)[:TAG_LENGTH] for name, value in values.items() if value is not None}


def _named(metrics: Mapping[str, float], ours: Collection[str] = ()) -> dict[str, float]:
    names = told_apart(metrics, ours)
    return {names[name]: value for name, value in metrics.items()}


def _text(value: Any) -> str:
    """Returns a value as text without passwords: lists and mappings as JSON, all else as Python writes it."""
    if isinstance(value, float) and value.is_integer() and math.fabs(value) < 1e15:
        return f"{value:.1f}"
    if isinstance(value, Mapping | list | tuple):
        value = json.dumps(value, ensure_ascii=False)
    text = storable(str(value)) or ""
    return mask(text) if "://" in text else text  # It may name an address of weights or data.
