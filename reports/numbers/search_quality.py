"""Judges the search itself: where trials were cut, what each parameter did, why trials failed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.plain_data import canonical, is_number
from orchestrator.policies.build import build_scheduler
from orchestrator.policies.policy import HORIZON
from orchestrator.policies.scheduler import Scheduler
from orchestrator.trial import Objective, State, Trial
from reports.numbers.comparison import Comparison, Row, series
from reports.numbers.rank_statistics import explained, rank_correlation, thirds
from reports.numbers.study_view import StudyView
from reports.numbers.widening import beyond, wider

FEW = 5  # With fewer completed trials nothing is said of a rank correlation.
AT_AN_EDGE = 0.05  # A value that is closer to a bound, as a share of the range, counts as lying on it.
_OUTER = 0.25  # The good trials lean to a bound when two thirds of the best quarter lie in this share of the range.


@dataclass(frozen=True)
class Rung:
    """Says how well the standing at one rung foretold the end.

    seen: trials that reached it. cut: trials that were stopped there. compared: completed ones of those seen.
    correlation: Spearman's between the best value up to the rung and the best of all epochs, with its 95 % interval
    from `low` to `high`; None where fewer than FEW were compared. winner_rank: of the study's best trial among all
    those seen.
    """

    epoch: int
    seen: int
    cut: int
    compared: int
    correlation: float | None
    low: float | None
    high: float | None
    winner_rank: int | None

    @property
    def judgement(self) -> Literal["sound", "unclear", "weak"] | None:
        """Returns whether it was sound to cut trials here; None where too few were compared to tell."""
        if self.correlation is None or self.low is None:
            return None
        if self.low > 0.0 and self.correlation >= 0.5:
            return "sound"
        return "weak" if self.correlation < 0.2 else "unclear"


@dataclass(frozen=True)
class Slice:
    """Shows one parameter against the objective.

    low, high: the searched range, None for choices. points: (trial number, value of the parameter, value of the
    objective, state). edge: the bound that the best lies on; None where the search did not find it, because it is a
    baseline or no better than all others. natural: the range cannot reach
    further. leaning: the best quarter of the trials lies there too. explained: share of the ranking of
    the trials that the thirds of the range, or the choices, explain. by_chance: the share that is reached by chance in
    1 of 20 cases.
    """

    name: str
    low: float | None
    high: float | None
    step: float | None
    log: bool
    choices: tuple[Any, ...] | None
    points: tuple[tuple[int, Any, float, State], ...]
    best: Any
    edge: Literal["low", "high"] | None = None
    edge_by_chance: float = 0.0  # how likely a value drawn from the range lies that close to a bound
    natural: bool = False
    leaning: bool = False
    explained: float | None = None
    by_chance: float | None = None
    correlation: float | None = None


def rungs(comparison: Comparison) -> tuple[Rung, ...]:
    """Returns the rungs at which trials could be cut; () where nothing stops trials early."""
    view = comparison.view
    objective = _watched(view)
    longest = max((trial.epochs for trial in view.trials), default=0)
    return tuple(_rung(epoch, comparison, objective) for epoch in scheduler_of(view.scheduler).milestones(longest))


def scheduler_of(section: Mapping[str, Any]) -> Scheduler:
    """Returns the scheduler that a study file's `scheduler` section names."""
    name, eta, grace_epochs = str(section.get("name", "")), section.get("eta", 4), section.get("grace_epochs", 1)
    return build_scheduler(name, eta=int(eta), grace_epochs=int(grace_epochs))


def stops_early(section: Mapping[str, Any]) -> bool:
    """Returns whether the scheduler of this section may stop a trial before its last epoch."""
    return bool(scheduler_of(section).milestones(HORIZON))


def _watched(view: StudyView) -> Objective:
    """Returns what the scheduler decides by."""
    metric, mode = view.scheduler.get("metric"), view.scheduler.get("mode")
    return Objective(metric or view.objective.metric, mode or view.objective.mode)


def _rung(epoch: int, comparison: Comparison, watched: Objective) -> Rung:
    """Compares the standing at one epoch with the standing at the end."""
    seen: dict[int, float] = {}
    for row in comparison.rows:
        early = [value for e, value in series(row.trial, watched) if e <= epoch]
        if early and row.trial.epochs >= epoch:
            seen[row.number] = watched.best(early)
    finals = {row.number: row.value for row in comparison.rows if row.trial.state is State.COMPLETED}
    pairs = [
        (watched.worst_first(seen[number]), comparison.objective.worst_first(value))
        for number, value in finals.items()
        if number in seen and value is not None
    ]
    found = rank_correlation(pairs) if len(pairs) >= FEW else None
    best = comparison.best
    rank = None
    if best is not None and best.number in seen:
        rank = 1 + sum(1 for value in seen.values() if watched.better(value, seen[best.number]))
    cut = sum(1 for row in comparison.rows if row.trial.state is State.PRUNED and row.trial.epochs == epoch)
    low, high = found.interval if found else (None, None)
    return Rung(epoch, len(seen), cut, len(pairs), found.value if found else None, low, high, rank)


def slices(comparison: Comparison) -> tuple[Slice, ...]:
    """Returns one slice for each searched name that took at least two values; those that explain most come first."""
    rows = [row for row in comparison.rows if row.rank is not None]
    found = [
        _slice(name, comparison, [row for row in rows if name in row.trial.config]) for name in comparison.view.searched
    ]
    wide = [each for each in found if len({canonical(value) for _, value, _, _ in each.points}) > 1]
    return tuple(sorted(wide, key=lambda each: -(each.explained or 0.0)))


def _slice(name: str, comparison: Comparison, rows: Sequence[Row]) -> Slice:
    """Compares the trials that have a value of the name."""
    domain = comparison.view.searched[name]
    points = tuple((row.number, row.trial.config[name], row.value or 0.0, row.trial.state) for row in rows)
    numeric = "choices" not in domain and all(is_number(value) for _, value, _, _ in points)
    log = bool(domain.get("log"))
    ordered = [comparison.objective.worst_first(value) for _, _, value, _ in points]
    places = [_place(value, log) for _, value, _, _ in points] if numeric else []
    groups = thirds(places) if numeric else [canonical(value) for _, value, _, _ in points]
    share = explained(groups, ordered) if len(points) >= 2 * FEW else None
    correlation = rank_correlation(list(zip(places, ordered, strict=True))) if numeric and share else None
    best = comparison.best
    value = None if best is None else best.trial.config.get(name)
    found = best is not None and best.trial.baseline is None and comparison.alike is None
    within = {} if best is None else comparison.view.domain_of(name, best.trial.config)
    edge = _edge(value, within) if numeric and found else None
    return Slice(
        name=name,
        low=domain.get("low"),
        high=domain.get("high"),
        step=domain.get("step"),
        log=log,
        choices=None if numeric else tuple(domain.get("choices", ())) or _seen_choices(points),
        points=points,
        best=value,
        edge=edge,
        edge_by_chance=_edge_by_chance(domain),
        natural=edge is not None and best is not None and _natural(edge, within, name, best.trial, comparison.view),
        leaning=edge is not None and _leaning(edge, domain, rows, name),
        explained=None if share is None else share.value,
        by_chance=None if share is None else share.by_chance,
        correlation=None if correlation is None else correlation.value,
    )


def _seen_choices(points: Sequence[tuple[int, Any, float, State]]) -> tuple[Any, ...]:
    """Returns the different values of the parameter, where the study file names none."""
    return tuple({canonical(value): value for _, value, _, _ in points}.values())


def position(value: Any, domain: Mapping[str, Any]) -> float | None:
    """Returns where in its range a value lies, 0 to 1, on a log axis if the range is one; None without a range."""
    low, high = domain.get("low"), domain.get("high")
    if low is None or high is None or low >= high or not is_number(value):
        return None
    log = bool(domain.get("log")) and low > 0
    place = (_place(value, log) - _place(low, log)) / (_place(high, log) - _place(low, log))
    return min(max(place, 0.0), 1.0)


def _place(value: float, log: bool) -> float:
    """Returns where a value lies on its axis."""
    return math.log(value) if log and value > 0 else float(value)


def _edge(value: Any, domain: Mapping[str, Any]) -> Literal["low", "high"] | None:
    """Returns the bound that a value lies on; None where it lies between."""
    place = position(value, domain)
    if place is None or AT_AN_EDGE < place < 1.0 - AT_AN_EDGE:
        return None
    return "low" if place <= AT_AN_EDGE else "high"


def _edge_by_chance(domain: Mapping[str, Any]) -> float:
    """Returns how likely a value drawn from the range lies on a bound.

    In a range of few steps the bounds are a larger share of all values.
    """
    low, high, step = domain.get("low"), domain.get("high"), domain.get("step")
    if low is None or high is None or high <= low:
        return 0.0
    if step is None or domain.get("log"):
        return 2.0 * AT_AN_EDGE
    count = round((high - low) / step) + 1
    if count >= 1000:
        return 2.0 * AT_AN_EDGE
    return sum(1 for k in range(count) if not AT_AN_EDGE < k / (count - 1) < 1.0 - AT_AN_EDGE) / count


def _natural(edge: Literal["low", "high"], domain: Mapping[str, Any], name: str, best: Trial, view: StudyView) -> bool:
    """Returns whether the range cannot reach further: it makes no sense, or trainable or constraints refuse it."""
    if wider(domain, edge, view.limits_of(name, best.config)) is None:
        return True
    return not view.space.meets_constraints(best.config | {name: beyond(domain, edge)})


def _leaning(edge: Literal["low", "high"], domain: Mapping[str, Any], rows: Sequence[Row], name: str) -> bool:
    """Returns whether the best quarter lies towards that bound, by at least three of the rows, which are best first."""
    top = [position(row.trial.config[name], domain) for row in rows[: max(3, len(rows) // 4)]]
    outer = [
        place for place in top if place is not None and (place <= _OUTER if edge == "low" else place >= 1 - _OUTER)
    ]
    return len(rows) >= 8 and len(outer) >= 3 and 3 * len(outer) >= 2 * len(top)


@dataclass(frozen=True)
class Failures:
    """Groups trials that failed alike. reason: of the first of them."""

    reason: str
    trials: tuple[Trial, ...]


def failures(trials: Sequence[Trial]) -> tuple[Failures, ...]:
    """Groups the failed trials by reason, the most frequent first. Reasons that differ in numbers alone are one."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.state is State.FAILED:
            reason = trial.reason or ""
            groups.setdefault("".join("0" if c.isdigit() else c for c in reason), []).append(trial)
    found = [Failures(group[0].reason or "", tuple(group)) for group in groups.values()]
    return tuple(sorted(found, key=lambda each: -len(each.trials)))
