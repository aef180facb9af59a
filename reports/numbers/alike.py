"""Tells of a study whose values are all alike, so that they name no winner.

What other metrics of the same trials say is looked at before anything is said of learning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.trial import Objective, State, Trial
from reports.numbers.evidence import Course, improved

FEWEST_TRIALS = 3  # Two trials with the same best value may be a coincidence.


@dataclass(frozen=True)
class Alike:
    """Says what all values of the objective have in common.

    kind: nothing_learnt where every report of every trial has one value; no_difference where the best values of all
    trials are one. perfect: no better value can be. moved: another metric that got better meanwhile, in trial `mover`.
    """

    kind: Literal["nothing_learnt", "no_difference"]
    value: float
    perfect: bool
    moved: Course | None = None
    mover: int | None = None


def alike(trials: Sequence[Trial], objective: Objective) -> Alike | None:
    """Returns what the values of the trials have in common; None where they differ, or are too few to say so."""
    known = [value for trial in trials for value in _values(trial, objective)]
    if not known:
        return None
    perfect = _perfect(objective, known[0])
    if len(set(known)) == 1:
        if len(known) < FEWEST_TRIALS and not any(len(_values(trial, objective)) > 1 for trial in trials):
            return None
        longest_first = sorted(trials, key=lambda trial: (-trial.epochs, trial.number))
        found = ((improved(t.reports, objective, but=objective.metric), t.number) for t in longest_first)
        moved, mover = next(((course, number) for course, number in found if course is not None), (None, None))
        return Alike("nothing_learnt", known[0], perfect, moved, mover)
    bests = [trial.value(objective) for trial in trials if trial.state is not State.FAILED]
    scored = [value for value in bests if value is not None]
    if len(scored) < FEWEST_TRIALS or len(set(scored)) > 1:
        return None
    return Alike("no_difference", scored[0], _perfect(objective, scored[0]))


def _values(trial: Trial, objective: Objective) -> list[float]:
    """Returns the finite values of the objective, by epoch."""
    values = (report.metrics.get(objective.metric, math.nan) for report in trial.reports)
    return [value for value in values if math.isfinite(value)]


def _perfect(objective: Objective, value: float) -> bool:
    """Returns whether no better value can be: all of a share, or nothing of an error."""
    return value == (1.0 if objective.mode == "max" else 0.0)
