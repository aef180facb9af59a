"""Describes a trial: one config tried, its state, and every report it gave."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.job import FailureClass


class State(StrEnum):
    """Says where a trial stands. `running` and `paused` go on at the next start; the others are final."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    PRUNED = "pruned"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        return self in (State.COMPLETED, State.PRUNED, State.FAILED)


class PausedBy(StrEnum):
    """Says who lets a paused trial wait: it goes on when the same says so."""

    SESSION = "session"  # a stop, a deadline, a full disk, a lost worker: it goes on by itself, first of all
    POLICY = "policy"  # it goes on when the policy takes it up again


class Role(StrEnum):
    """Says what a trial is for. Only those of the search are compared with each other and told to the searcher."""

    SEARCH = "search"
    CONFIRM = "confirm"  # a config once more with another seed
    FOLD = "fold"  # a config once more on other parts of the data


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """Holds an attempt that ended by a failure of class `kind` when the trial had so many `epochs`."""

    kind: FailureClass
    epochs: int


def count_by_class(failed: Iterable[FailedAttempt]) -> dict[str, int]:
    """Counts the attempts that each class of failure ended: {"out_of_memory": 3, "exception": 1}.

    A storage that is full or away is no failure of a trial: all of them wait for it.
    """
    counts: Counter[FailureClass] = Counter(each.kind for each in failed if each.kind is not FailureClass.STORAGE)
    return {kind.name.lower(): counts[kind] for kind in FailureClass if counts[kind]}


@dataclass(frozen=True, slots=True)
class Objective:
    """Says which metric a study improves, and in which direction."""

    metric: str
    mode: str  # "max" or "min"

    def better(self, a: float, b: float) -> bool:
        """Returns whether `a` is strictly better than `b`."""
        return a > b if self.mode == "max" else a < b

    def best(self, values: list[float]) -> float:
        return max(values) if self.mode == "max" else min(values)

    def worst_first(self, value: float) -> float:
        """Returns a sort key under which a better value is larger."""
        return value if self.mode == "max" else -value


@dataclass(frozen=True, slots=True)
class Report:
    """Holds what a trainable yielded after one epoch.

    epoch: from 1. metrics: finite or not, as yielded. seconds: wall time of this epoch, evaluation included.
    at: unix time. checkpoint: a checkpoint of exactly this epoch was saved before the report.
    """

    epoch: int
    metrics: dict[str, float]
    seconds: float
    at: float
    checkpoint: bool = False

    def metrics_beside(self, *ours: str) -> dict[str, float]:
        """Returns the metrics for a table that has these names itself: the trainable's own is `metric/NAME` there."""
        return {f"metric/{name}" if name in ours else name: value for name, value in self.metrics.items()}


@dataclass(frozen=True, slots=True)
class Extension:
    """Says that the limit on epochs was raised after the trial had begun, and that it goes on to the new one.

    after: the epochs that it had by then.
    """

    after: int
    limit: int
    new_limit: int

    def __str__(self) -> str:
        return f"extended from {self.limit} to {self.new_limit} epochs after epoch {self.after}"


@dataclass(frozen=True, slots=True)
class Trial:
    """Holds one config tried. Numbers count from 1 within a study."""

    number: int
    config: dict[str, Any]
    state: State = State.RUNNING
    reason: str | None = None  # one line: why pruned, paused or failed
    error: str | None = None  # the traceback of a failure
    baseline: str | None = None  # its name in the study file, if it is one
    seed: int = 0
    reports: tuple[Report, ...] = ()  # by epoch
    test: Mapping[str, float] | None = None  # scored once, after the search
    mlflow_run_id: str | None = None
    attempts: int = 1
    created: float = 0.0  # unix time
    ended: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the last attempt: host, device, versions
    origin: str | None = None  # OTHER/7: the trial of another study that the config was taken from
    left_out: str | None = None  # why it counts no more: its config is none of the space that the file has now
    paused_by: PausedBy | None = None  # None unless the trial is paused
    extended: tuple[Extension, ...] = ()  # its lr_schedule was not that of a run planned for so many epochs
    role: Role = Role.SEARCH
    data: Mapping[str, Any] | None = None  # its own, in place of the study's
    accumulation_steps: int | None = None  # in place of its config's, once memory ran out
    failures: tuple[FailedAttempt, ...] = ()  # by attempt; the last one ended the trial if it failed

    @property
    def counts(self) -> bool:
        """Returns whether it is one of those that the search compares, and that the budget counts."""
        return self.left_out is None and self.role is Role.SEARCH

    @property
    def retried(self) -> dict[str, int]:
        """Returns the failures after which it was tried again, by class."""
        return count_by_class(self.failures[:-1] if self.state is State.FAILED else self.failures)

    @property
    def epochs(self) -> int:
        return self.reports[-1].epoch if self.reports else 0

    @property
    def seconds(self) -> float:
        return sum(report.seconds for report in self.reports)

    @property
    def checkpoint_epoch(self) -> int | None:
        """Returns the newest epoch that can be gone on from; what lies on disk beyond it does not count."""
        return max((r.epoch for r in self.reports if r.checkpoint), default=None)

    def best_report(self, objective: Objective) -> Report | None:
        """Returns the report with the best finite value of the objective; None without one.

        The latest of equals: on a plateau, the weights that were trained longest are the ones to keep.
        """
        best = self._best_reports(objective)
        return best[-1] if best else None

    def best_since(self, objective: Objective) -> float | None:
        """Returns the unix time of the first report with the best value; None without one."""
        best = self._best_reports(objective)
        return best[0].at if best else None

    def value(self, objective: Objective) -> float | None:
        """Returns the best of the objective over the trial's reports."""
        given = (report.metrics.get(objective.metric, math.nan) for report in self.reports)
        finite = [value for value in given if math.isfinite(value)]
        return objective.best(finite) if finite else None

    def _best_reports(self, objective: Objective) -> list[Report]:
        """Returns all reports with the best finite value, by epoch."""
        best = self.value(objective)
        return [] if best is None else [r for r in self.reports if r.metrics.get(objective.metric) == best]


def best_trial(trials: list[Trial], objective: Objective) -> Trial | None:
    """Returns the trial that counts with the best value, whatever its state except failed; the earliest of equals."""
    scored = [(t.value(objective), t) for t in trials if t.state is not State.FAILED and t.counts]
    found = [(value, t) for value, t in scored if value is not None]
    if not found:
        return None
    return max(found, key=lambda pair: (objective.worst_first(pair[0]), -pair[1].number))[1]


class Status(StrEnum):
    """Says how a study stands, between two sessions and during one."""

    RUNNING = "running"
    FINISHED = "finished"
    PAUSED = "paused"  # stopped where the user asked: hours, a time of day
    INTERRUPTED = "interrupted"
    FAILED = "failed"  # no trial could complete


@dataclass(frozen=True)
class Outcome:
    status: Status
    started: int  # attempts started in this session
    study: str
