"""Computes the numbers of a report: who leads, by how much, what it cost. Figures and wording come from these alone."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from orchestrator.trial import Objective, State, Trial
from reports.numbers.alike import Alike, alike
from reports.numbers.quantity import Scale, scale_of
from reports.numbers.repeats import Confirmation, confirmation, values_of
from reports.numbers.study_view import StudyView


@dataclass(frozen=True)
class Row:
    """Says where one trial stands. behind: how far from the best; 0 for the best itself, positive whatever the mode."""

    trial: Trial
    rank: int | None  # 1 for the best; None without a value, and for failed trials
    value: float | None
    best_epoch: int | None
    behind: float | None

    @property
    def number(self) -> int:
        return self.trial.number


@dataclass(frozen=True)
class Lead:
    """Says how far one trial is ahead of another; negative: behind. Both differences point the way of the objective.

    relative: `by` as a fraction of the other's value; None where that is zero. test_by: the same as `by`, on the test
    split.
    """

    ahead: int
    other: int
    baseline: str | None  # the other's name, where it is a baseline
    value: float
    other_value: float
    by: float
    relative: float | None
    test_by: float | None


@dataclass(frozen=True)
class Cost:
    """Says what the trials took, and what early stopping spared.

    saved_epochs: those that pruned trials did not run, up to the longest trial or their own `epochs`, whichever is
    less. saved_share: of all epochs that would have been run.
    """

    seconds: float  # sum over all reports of all trials
    epochs: int
    saved_epochs: int
    saved_seconds: float
    saved_share: float
    wall_seconds: float
    device: Literal["gpu", "cpu", "trial"]  # "trial" where it is not known what a trial ran on
    per_trial: float  # devices that one trial occupies

    @property
    def device_hours(self) -> float:
        """Returns trial hours times the devices that a trial occupies."""
        return self.hours_of(self.seconds)

    def hours_of(self, seconds: float) -> float:
        """Returns the device hours that so many seconds of one trial take."""
        return seconds * self.per_trial / 3600.0


@dataclass(frozen=True)
class Comparison:
    """Says all that is known of one study, without a judgement.

    rows: best first, then those without a value by number.
    """

    view: StudyView
    scale: Scale
    rows: tuple[Row, ...]
    counts: Mapping[State, int]
    scored: int  # trials with a value, failed ones left out
    best: Row | None
    runner_up: Lead | None  # the best over the second
    baselines: tuple[Lead, ...]  # the best over each baseline that has a value, other than itself
    searched_best: Lead | None  # where a baseline is best, that baseline over the best trial that is none
    median: float | None  # of the scored trials
    noise: float | None  # of the best trial, as epoch_noise estimates it
    cost: Cost
    alike: Alike | None = None  # what all values have in common, where they name no winner

    @property
    def lead(self) -> Lead | None:
        """Returns the lead that the headline speaks of: over the baseline if there is one; None without a second."""
        return self.searched_best or (self.baselines[0] if self.baselines else self.runner_up)

    @property
    def confirmation(self) -> Confirmation | None:
        """Returns what repeats of the best trial prove of that lead; None without a repeat that is done."""
        values = values_of(self.view.repeats, self.objective)
        return confirmation(values, None if self.lead is None else self.lead.other_value, self.objective)

    @property
    def objective(self) -> Objective:
        return self.view.objective

    def row(self, number: int) -> Row:
        """Returns the row of a trial."""
        return next(row for row in self.rows if row.number == number)


def compare(view: StudyView) -> Comparison:
    """Computes the numbers of one study. A failed trial is neither best nor median, whatever it reported before."""
    objective = view.objective
    found = {trial.number: trial.value(objective) for trial in view.trials if trial.state is not State.FAILED}
    values = {number: value for number, value in found.items() if value is not None}
    ranked = sorted(values, key=lambda number: (-objective.worst_first(values[number]), number))
    trials = {trial.number: trial for trial in view.trials}
    best = trials[ranked[0]] if ranked else None
    rows = _rows(view, values, ranked)
    leads = [_lead(trials[ranked[0]], trials[number], values, objective) for number in ranked[1:]]
    searched = [lead for lead in leads if lead.baseline is None]
    return Comparison(
        view=view,
        scale=scale_of(objective, list(values.values())),
        rows=rows,
        counts=Counter(trial.state for trial in view.trials),
        scored=len(values),
        best=rows[0] if ranked else None,
        runner_up=leads[0] if leads else None,
        baselines=tuple(lead for lead in leads if lead.baseline is not None),
        searched_best=searched[0] if searched and best is not None and best.baseline is not None else None,
        median=statistics.median(values.values()) if values else None,
        noise=None if best is None else epoch_noise(series(best, objective)),
        cost=cost_of(view),
        alike=alike(view.trials, objective),
    )


def series(trial: Trial, objective: Objective) -> list[tuple[int, float]]:
    """Returns (epoch, value) of every report with a finite value."""
    pairs = [(report.epoch, report.metrics.get(objective.metric, math.nan)) for report in trial.reports]
    return [(epoch, value) for epoch, value in pairs if math.isfinite(value)]


def epoch_noise(points: Sequence[tuple[int, float]]) -> float | None:
    """Estimates how far values scatter about their trend from one epoch to the next: a standard deviation.

    It looks at third differences over the last half of the curve, in which a trend that bends evenly cancels: their
    variance is twenty times that of independent noise. None with fewer than three of them. A repeat may scatter far
    more.
    """
    values = [value for _, value in points[len(points) // 2 :]]
    thirds = [d - 3.0 * c + 3.0 * b - a for a, b, c, d in zip(values, values[1:], values[2:], values[3:], strict=False)]
    return math.sqrt(statistics.fmean(third * third for third in thirds) / 20.0) if len(thirds) >= 3 else None


def cost_of(view: StudyView) -> Cost:
    """Adds up the reports that stand: an epoch that was run twice counts once."""
    longest = max((trial.epochs for trial in view.trials), default=0)
    epochs, saved, saved_seconds = 0, 0, 0.0
    for trial in view.trials:
        epochs += len(trial.reports)
        if trial.state is State.PRUNED and trial.reports:
            spared = max(0, _planned(trial, longest) - trial.epochs)
            saved += spared
            saved_seconds += spared * trial.seconds / len(trial.reports)
    device, per_trial = _device(view)
    return Cost(
        seconds=sum(trial.seconds for trial in view.trials),
        epochs=epochs,
        saved_epochs=saved,
        saved_seconds=saved_seconds,
        saved_share=saved / (epochs + saved) if saved else 0.0,
        wall_seconds=view.seconds,
        device=device,
        per_trial=per_trial,
    )


class Step(NamedTuple):
    """Describes a report that was better than all before it. hours: device hours spent in all trials up to it."""

    hours: float
    value: float
    trial: int
    epoch: int


def best_so_far(comparison: Comparison) -> list[Step]:
    """Returns every report that was better than all before it, in order of time. Failed trials cost, but never lead."""
    objective, spent, steps = comparison.objective, 0.0, list[Step]()
    reports = [(report.at, row.number, report, row.rank) for row in comparison.rows for report in row.trial.reports]
    for _, number, report, rank in sorted(reports, key=lambda item: (item[0], item[1], item[2].epoch)):
        spent += report.seconds
        value = report.metrics.get(objective.metric, math.nan)
        if rank is not None and math.isfinite(value) and (not steps or objective.better(value, steps[-1].value)):
            steps.append(Step(comparison.cost.hours_of(spent), value, number, report.epoch))
    return steps


def _planned(trial: Trial, longest: int) -> int:
    """Returns the epochs that the trial would have run if nothing had cut it."""
    own = trial.config.get("epochs")
    return min(own, longest) if isinstance(own, int) and not isinstance(own, bool) else longest


def _device(view: StudyView) -> tuple[Literal["gpu", "cpu", "trial"], float]:
    """Returns what a trial ran on, and how much of it. What the trials say goes before what the file asks for."""
    told = {str(trial.facts["device"]).split(":")[0] for trial in view.trials if trial.facts.get("device")}
    gpu, cpu = view.resources.get("gpu", "auto"), view.resources.get("cpu", 1.0)
    if "cuda" in told:
        return "gpu", float(gpu) if _above_zero(gpu) else 1.0
    if told == {"cpu"} or gpu == 0 or (gpu == "auto" and view.facts.get("gpus") == []):
        return "cpu", float(cpu) if _above_zero(cpu) else 1.0
    if _above_zero(gpu):
        return "gpu", float(gpu)
    return ("gpu", 1.0) if view.facts.get("gpus") else ("trial", 1.0)


def _above_zero(share: Any) -> bool:
    """Returns whether the share is a number, and more than nothing."""
    return isinstance(share, int | float) and share > 0


def _rows(view: StudyView, values: Mapping[int, float], ranked: Sequence[int]) -> tuple[Row, ...]:
    """Returns the rows of the ranked trials, then those of the others by number."""
    objective = view.objective
    trials = {trial.number: trial for trial in view.trials}
    rows: list[Row] = []
    for place, number in enumerate(ranked, start=1):
        value, report = values[number], trials[number].best_report(objective)
        rank = rows[-1].rank if rows and rows[-1].value == value else place  # Equals share a rank.
        behind = _ahead(values[ranked[0]], value, objective)
        rows.append(Row(trials[number], rank, value, report.epoch if report else None, behind))
    for number in sorted(trials.keys() - set(ranked)):
        report = trials[number].best_report(objective)
        value_of_failed = None if report is None else report.metrics[objective.metric]
        rows.append(Row(trials[number], None, value_of_failed, report.epoch if report else None, None))
    return tuple(rows)


def _lead(ahead: Trial, other: Trial, values: Mapping[int, float], objective: Objective) -> Lead:
    """Returns how far `ahead` is ahead of `other`."""
    value, against = values[ahead.number], values[other.number]
    by = _ahead(value, against, objective)
    tests = [value_on_test(trial, objective) for trial in (ahead, other)]
    return Lead(
        ahead=ahead.number,
        other=other.number,
        baseline=other.baseline,
        value=value,
        other_value=against,
        by=by,
        relative=by / abs(against) if against else None,
        test_by=_ahead(tests[0], tests[1], objective) if tests[0] is not None and tests[1] is not None else None,
    )


def value_on_test(trial: Trial, objective: Objective) -> float | None:
    """Returns the test metric of the objective's name after its split; None without one."""
    name = objective.metric.rpartition("/")[2]
    for metric, value in (trial.test or {}).items():
        if metric.rpartition("/")[2] == name and math.isfinite(value):
            return value
    return None


def shown_test_lead(comparison: Comparison, ahead: int, other: int) -> float | None:
    """Returns how far a trial is ahead on the test split, by the values shown; None where one was not scored."""
    trials = {trial.number: trial for trial in comparison.view.trials}
    value, against = (value_on_test(trials[number], comparison.objective) for number in (ahead, other))
    if value is None or against is None:
        return None
    return _ahead(comparison.scale.difference(value, against), 0.0, comparison.objective)


def _ahead(a: float, b: float, objective: Objective) -> float:
    """Returns how much better `a` is than `b`."""
    return a - b if objective.mode == "max" else b - a
