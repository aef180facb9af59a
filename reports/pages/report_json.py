"""Writes every number of a report as plain JSON data."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from reports.numbers.advice import Advice, original_command, reproduction
from reports.numbers.comparison import Comparison, Cost, Lead, Row
from reports.numbers.repeats import Repeat
from reports.numbers.search_quality import Failures, Rung, Slice
from reports.numbers.symptoms import Symptoms
from reports.numbers.verdict import Verdict
from reports.words import Words

VERSION = 1  # of the schema below


def study_numbers(
    comparison: Comparison,
    said: Verdict,
    step: Advice,
    rungs: tuple[Rung, ...],
    slices: tuple[Slice, ...],
    failed: tuple[Failures, ...],
    symptoms: tuple[Symptoms, ...],
    words: Words,
) -> dict[str, Any]:
    """Returns one study of report.json. The file is {"version": 1, "language", "written" (unix time),
    "side_by_side": [text], "studies": [this, ...]}.

    study, status, reason, objective {metric, mode}, trainable: as in `tune show --json`.
    verdict: {standing (none, tie, unknown, win, no_win), key, text, support [text]}.
    next: {text, commands [text], device_hours}. reproduce: {study, best [text]}.
    best, runner_up, median, noise: trial number, lead, and two values of the objective, each null where there is none.
    baselines: [lead]; a lead is {ahead, other, baseline, value, other_value, by, relative, test_by}: `by` is how far
    trial `ahead` is better than trial `other` in the objective, whatever the mode; `test_by` on the test data.
    repeats: [{study, trial, seed, state, value}] of the best trial's config, with other seeds, in studies of their own.
    counts: {state: trials}. scored: trials with a value that did not fail.
    cost: {seconds, epochs, saved_epochs, saved_seconds, saved_share, wall_seconds, device, per_trial, device_hours}.
    trials: [{number, rank, state, reason, baseline, origin, extended [{after, limit, new_limit}], value, best_epoch,
    behind, epochs, seconds, attempts, seed, config, test, curve [{epoch, metrics..., seconds}]}], best first.
    rungs: [{epoch, seen, cut, compared, correlation, low, high, winner_rank}].
    parameters: [{name, low, high, step, log, choices, best, edge, edge_by_chance, natural, leaning,
    explained, by_chance, correlation}].
    left_out: [{number, reason}], of trials outside the space as it is now, which are in nothing else here.
    failed_steps: [{kind, trial, epoch, reason}], such as a scoring on the test split.
    failures: [{reason, trials [number]}]. symptoms: [{symptom, trials [number]}]. searched, fixed, facts: of the study.
    Values are as reported: fractions, not percentages. What is no finite number is null.
    """
    view = comparison.view
    content = {
        "study": view.name,
        "status": view.status,
        "reason": view.reason,
        "trainable": view.trainable,
        "objective": {"metric": comparison.objective.metric, "mode": comparison.objective.mode},
        "verdict": {
            "standing": said.standing,
            "key": said.headline.key,
            "text": words.say(said.headline),
            "support": [words.say(each) for each in said.support],
        },
        "next": {"text": words.say(step.what), "commands": list(step.commands), "device_hours": step.device_hours},
        "reproduce": {"study": original_command(view), "best": list(reproduction(view)) if comparison.best else []},
        "best": None if comparison.best is None else comparison.best.number,
        "runner_up": _lead(comparison.runner_up),
        "baselines": [_lead(lead) for lead in comparison.baselines],
        "median": comparison.median,
        "noise": comparison.noise,
        "repeats": [_repeat(each, comparison) for each in view.repeats],
        "counts": {state.value: count for state, count in comparison.counts.items()},
        "scored": comparison.scored,
        "cost": _cost(comparison.cost),
        "trials": [_trial(row) for row in comparison.rows],
        "left_out": [{"number": trial.number, "reason": trial.left_out} for trial in view.left_out],
        "rungs": [asdict(rung) for rung in rungs],
        "parameters": [{k: v for k, v in asdict(each).items() if k != "points"} for each in slices],
        "failures": [{"reason": each.reason, "trials": [t.number for t in each.trials]} for each in failed],
        "failed_steps": [
            {"kind": s.kind.value, "trial": s.trial, "epoch": s.epoch, "reason": s.reason} for s in view.failed_steps
        ],
        "symptoms": [{"symptom": each.kind.value, "trials": [t.number for t in each.trials]} for each in symptoms],
        "searched": view.searched,
        "fixed": view.fixed,
        "facts": view.facts,
    }
    return {key: plain(value) for key, value in content.items()}


def plain(value: Any) -> Any:
    """Returns JSON data: text keys, null for NaN and infinity, text for types of ours."""
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _lead(lead: Lead | None) -> dict[str, Any] | None:
    return None if lead is None else asdict(lead)


def _repeat(repeat: Repeat, comparison: Comparison) -> dict[str, Any]:
    trial = repeat.trial
    value = trial.value(comparison.objective)
    return {
        "study": repeat.study,
        "trial": trial.number,
        "seed": trial.seed,
        "state": trial.state.value,
        "value": value,
    }


def _cost(cost: Cost) -> dict[str, Any]:
    return asdict(cost) | {"device_hours": cost.device_hours}


def _trial(row: Row) -> dict[str, Any]:
    """Returns a trial with its whole curve."""
    trial = row.trial
    return {
        "number": trial.number,
        "rank": row.rank,
        "state": trial.state.value,
        "reason": trial.reason,
        "baseline": trial.baseline,
        "origin": trial.origin,
        "extended": [asdict(extension) for extension in trial.extended],
        "value": row.value,
        "best_epoch": row.best_epoch,
        "behind": row.behind,
        "epochs": trial.epochs,
        "seconds": trial.seconds,
        "attempts": trial.attempts,
        "seed": trial.seed,
        "config": trial.config,
        "test": None if trial.test is None else dict(trial.test),
        "curve": [
            {**report.metrics_beside("epoch", "seconds"), "epoch": report.epoch, "seconds": report.seconds}
            for report in trial.reports
        ],
    }
