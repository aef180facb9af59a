"""Reads off a trial's reports which metrics got better, got worse or stood still: the evidence of every diagnosis."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from orchestrator.trial import Objective, Report

FLAT = 0.08  # A score from 0 to 1 that stays within so much has not moved.
NOTABLE = 0.1  # A smaller change of any other number, as a share of itself, is none.

# Words of a metric's name of which less is better.
_ERRORS = {"loss", "nll", "bce", "ctc", "entropy", "perplexity", "error", "err", "mse", "mae", "rmse", "distance"}
_ERRORS |= {"cer", "wer", "ece", "fid", "lpips"}


@dataclass(frozen=True)
class Course:
    """Describes how one metric of one trial went: from its value in the first report to that in the last quarter."""

    metric: str
    first: float
    last: float
    got: Literal["better", "worse", "nowhere"]


def courses(reports: Sequence[Report], objective: Objective) -> list[Course]:
    """Returns the courses of the objective and of every validation metric of which is known which way is better.

    A metric between 0 and 1 is a score, unless its name is that of an error. Of other numbers only errors are told:
    nobody knows whether more boxes, or more seconds, are better.
    """
    names = dict.fromkeys(name for report in reports for name in report.metrics if name.startswith("val/"))
    found = [_course(name, reports, objective) for name in {objective.metric: None, **names}]
    return [course for course in found if course is not None]


def improved(reports: Sequence[Report], objective: Objective, *, but: str | None = None) -> Course | None:
    """Returns the first metric other than `but` that got better over these reports; None where none did."""
    better = (c for c in courses(reports, objective) if c.got == "better" and c.metric != but)
    return next(better, None)


def is_error(metric: str) -> bool:
    """Returns whether less of the metric is better, as far as its name tells."""
    return bool(set(re.split(r"[^a-z0-9]+", metric.lower())) & _ERRORS)


def _course(metric: str, reports: Sequence[Report], objective: Objective) -> Course | None:
    """Judges one metric; None with fewer than two finite values, or where nobody knows which way is better."""
    values = [report.metrics.get(metric, math.nan) for report in reports]
    values = [value for value in values if math.isfinite(value)]
    error, share = is_error(metric), all(0.0 <= value <= 1.0 for value in values)
    if metric == objective.metric:
        error = objective.mode == "min"
    elif not (error or share):
        return None
    if len(values) < 2:
        return None
    first, last = values[0], fmean(values[-max(len(values) // 4, 1) :])
    gain = first - last if error else last - first
    least = FLAT if share and "loss" not in metric else NOTABLE * abs(first)
    got: Literal["better", "worse", "nowhere"] = "nowhere"
    if abs(gain) >= least and gain != 0.0:
        got = "better" if gain > 0.0 else "worse"
    return Course(metric, first, last, got)
