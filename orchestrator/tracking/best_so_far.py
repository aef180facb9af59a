"""Computes what MLflow shows of the best: of each trial's reports, and of the study's trials.

MLflow shows a metric's value at its highest step, which is that of the last epoch; the ledger's value of a trial is its
best. Metrics of their own therefore hold the best, with a point wherever it changed, so that their last is the best.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.tracking.names import legal
from orchestrator.trial import Objective, Report, State, Trial

BEST_EPOCH = "best_epoch"  # As `tune show --json` has it.


@dataclass(frozen=True, slots=True)
class Point:
    """Holds one value of a metric. at: milliseconds of unix time. step: the epoch, or how many trials there were."""

    name: str
    value: float
    at: int
    step: int


def milliseconds(seconds: float) -> int:
    """Returns a time in milliseconds, as MLflow has it."""
    return int(seconds * 1000)


def best_name(objective: Objective) -> str:
    """Returns the name of the metric that holds the best value of the objective."""
    return legal(f"best/{objective.metric}")


def trial_best_points(trial: Trial, reports: Sequence[Report], objective: Objective) -> list[Point]:
    """Returns the best value and its epoch, at each of these reports that made another epoch the trial's best.

    reports: all that count, by epoch.
    """
    changes = list(_improvements(reports, objective))
    best = replace(trial, reports=tuple(reports)).best_report(objective)
    if best is not None and best.epoch > changes[-1].epoch:  # As good, and later.
        changes.append(best)
    return [
        Point(name, value, milliseconds(report.at), report.epoch)
        for report in changes
        for name, value in ((best_name(objective), report.metrics[objective.metric]), (BEST_EPOCH, float(report.epoch)))
    ]


def study_best_points(trials: Sequence[Trial], objective: Objective, changed: float = 0.0) -> list[Point]:
    """Returns the best value of the study at each report that raised it, and at last once more as it is now.

    trials: all of the study, with their reports. changed: unix time at which its file last changed. step: how many
    trials had begun by then. MLflow may have been told of a better trial that has failed since, or does not count any
    more, and it takes no point back: the last point is later than whatever it was told.
    """
    counting = [trial for trial in trials if trial.counts and trial.state is not State.FAILED]
    events = sorted((report for trial in counting for report in trial.reports), key=lambda report: report.at)
    name, begun = best_name(objective), sorted(trial.created for trial in trials)
    points = [
        Point(name, report.metrics[objective.metric], milliseconds(report.at), bisect_right(begun, report.at))
        for report in _improvements(events, objective)
    ]
    if not points:
        return []
    ends = [trial.ended for trial in trials if trial.ended is not None]
    last = max(changed, *ends, *(report.at for trial in trials for report in trial.reports))
    return [*points, Point(name, points[-1].value, milliseconds(last) + 1, len(trials))]


@dataclass(frozen=True)
class BestSent:
    """Remembers what MLflow was told of the study's best. trial: its number; 0 for none. at: of the last point."""

    trial: int = 0
    value: float | None = None
    at: int = 0

    def changed_by(self, trial: Trial, reports: Sequence[Report], objective: Objective) -> bool:
        """Returns whether another trial may be the best, now that `trial` has given these reports.

        The best one may have failed, count no more, or be worse in an epoch that it has repeated.
        """
        if trial.number == self.trial and (trial.state is State.FAILED or not trial.counts or trial.attempts > 1):
            return True
        values = [report.metrics.get(objective.metric, math.nan) for report in reports]
        return any(math.isfinite(v) and (self.value is None or objective.better(v, self.value)) for v in values)


def former_leaders(trials: Sequence[Trial], objective: Objective) -> list[Trial]:
    """Returns the trials that were the study's best when one of their reports came, in this order."""
    by_report = {id(report): trial for trial in trials for report in trial.reports}
    events = sorted((report for trial in trials for report in trial.reports), key=lambda report: report.at)
    leaders = [by_report[id(report)] for report in _improvements(events, objective)]
    return list({trial.number: trial for trial in leaders}.values())


def _improvements(reports: Sequence[Report], objective: Objective) -> Iterator[Report]:
    """Yields each report whose finite value is better than all before it."""
    best: float | None = None
    for report in reports:
        value = report.metrics.get(objective.metric, math.nan)
        if math.isfinite(value) and (best is None or objective.better(value, best)):
            best = value
            yield report
