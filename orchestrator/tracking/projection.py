"""What MLflow's runs of a study and of its trials should hold, as plain values: names, params, tags, points, states.

MLflow cannot unsay a point of a metric. A trial that repeats epochs which were shown already therefore gets a run anew,
with the points that stand.
"""

from __future__ import annotations

import hashlib
import json
import math
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.ledger.rows import StudyRow, storable
from orchestrator.secret import mask
from orchestrator.space.membership import LIMIT
from orchestrator.trial import Objective, Report, State, Trial

UID = "nightsweep.study"  # tag: the ledger's id of the study; its runs and its experiment bear it
EPOCH_SECONDS = "epoch_seconds"  # a metric of every report
NUMBER = "nightsweep.trial"  # tag: the trial's number; 0 on the study's own run
PARAM_LENGTH = 6000  # characters; MLflow takes no more
TAG_LENGTH = 5000
NAME_LENGTH = 250
POINTS_AT_ONCE, PAIRS_AT_ONCE = 800, 100  # of 1000 points, params and tags that MLflow takes in one call
BYTES_AT_ONCE = 900_000  # of the million that some servers take
_ONCE = ("trainable", "objective", "data", "space", "constraints", "search", "scheduler")  # never change in a study


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a metric. at: milliseconds of unix time. step: the epoch."""

    name: str
    value: float
    at: int
    step: int


def status_of(state: State, *, study_runs: bool) -> str:
    """MLflow's word for a trial's state.

    What waits to go on is SCHEDULED, MLflow's word for a run that is to run later: a paused trial, and one whose driver
    is gone. RUNNING is only what runs, so none runs for ever.
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
    return {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED"}.get(row.status, "SCHEDULED")


def trial_name(trial: Trial) -> str:
    return f"{trial.number:04d} {trial.baseline or ''}".strip()[:NAME_LENGTH]


def trial_params(trial: Trial) -> dict[str, str]:
    """The config as the trial began: MLflow changes no param, so that of a trial that was extended is told by a tag."""
    begun = {LIMIT: trial.extended[0].limit} if trial.extended else {}
    return {legal(name): param_text(value) for name, value in (trial.config | begun).items()}


def trial_tags(trial: Trial, row: StudyRow) -> dict[str, str]:
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
            "error": _text(trial.error or "")[-TAG_LENGTH:],  # a traceback's gist is its end
            "baseline": trial.baseline or "",
            "origin": trial.origin,
            "left_out": trial.left_out or "",
            "extended": "; ".join(map(str, trial.extended)) or None,
            "seed": trial.seed,
            "attempts": trial.attempts,
            "git_commit": row.facts.get("git_commit"),
            "data_fingerprint": row.facts.get("data_fingerprint"),
            **facts,
        }
    )


def study_params(row: StudyRow) -> dict[str, str]:
    """What a study is begun with and never changes; a domain of the space is one param: `space.lr`."""
    params: dict[str, str] = {}
    for section in _ONCE:
        value = row.raw.get(section)
        if isinstance(value, Mapping):
            params.update({legal(f"{section}.{name}"): param_text(part) for name, part in value.items()})
        elif value is not None:
            params[section] = param_text(value)
    return params


def study_tags(row: StudyRow) -> dict[str, str]:
    """State, budget, and the facts of its first start: versions, machine, command."""
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
            **dict(flat(row.facts)),
        }
    )


def standing(trial: Trial) -> tuple[Report, ...]:
    """The reports that count. Of a running trial not those older than one of an earlier epoch: it repeats them."""
    if trial.state is not State.RUNNING:
        return trial.reports
    kept: list[Report] = []
    for report in trial.reports:
        if not kept or report.at >= kept[-1].at:
            kept.append(report)
    return tuple(kept)


def points_of(reports: Iterable[Report]) -> list[Point]:
    """Every metric of every report and the epoch's seconds, at the report's own time: the same however often sent."""
    return [
        Point(name, value, milliseconds(report.at), report.epoch)
        for report in reports
        for name, value in {EPOCH_SECONDS: report.seconds, **_legal(report.metrics)}.items()
    ]


def test_points(trial: Trial, objective: Objective) -> list[Point]:
    """The scores on the test split, at the epoch whose checkpoint was scored and at that report's time."""
    best = trial.best_report(objective)
    if not trial.test or best is None:
        return []
    return [Point(name, value, milliseconds(best.at), best.epoch) for name, value in _legal(trial.test).items()]


@dataclass(frozen=True)
class Batch:
    """What goes to a run in one call."""

    points: list[Point] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def batches(points: Iterable[Point], params: Mapping[str, str], tags: Mapping[str, str]) -> list[Batch]:
    """All of it in as few calls as MLflow's limits on one call allow: usually in one, none if there is nothing."""
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
    """At most so many bytes of JSON: outside ASCII a character is written as one or two \\uXXXX."""
    return 100 + sum(len(text) * (2 if text.isascii() else 12) for text in texts)


def digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


# Text that MLflow takes


def legal(name: str) -> str:
    """A key under which MLflow takes a param or a metric: the same one, but with _ for signs that it refuses."""
    name = re.sub(r"[^/\w.\- :]", "_", str(name))[:NAME_LENGTH]
    if name != posixpath.normpath(name) or name.startswith(("/", "..")) or name == ".":  # it must not lead elsewhere
        name = name.replace("/", "_").replace("..", "__")
    return "_" if name in ("", ".") else name


def param_text(value: Any) -> str:
    text = _text(value)
    if len(text) <= PARAM_LENGTH:
        return text
    note = f" ... ({len(text)} characters in all)"
    return text[: PARAM_LENGTH - len(note)] + note


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """{"budget": {"trials": 4}} gives budget.trials."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value


def _tags(values: Mapping[str, Any]) -> dict[str, str]:
    return {legal(name): _text(value)[:TAG_LENGTH] for name, value in values.items() if value is not None}


def _legal(metrics: Mapping[str, float]) -> dict[str, float]:
    return {legal(name): value for name, value in metrics.items()}


def _text(value: Any) -> str:
    """Numbers as Python writes them, `None` and `True` too; lists and mappings as JSON. Without passwords."""
    if isinstance(value, float) and value.is_integer() and math.fabs(value) < 1e15:
        return f"{value:.1f}"
    if isinstance(value, Mapping | list | tuple):
        value = json.dumps(value, ensure_ascii=False)
    text = storable(str(value)) or ""
    return mask(text) if "://" in text else text  # weights, data and errors may name addresses


def milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
