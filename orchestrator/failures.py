"""What counts as a failure, and what follows from each class of them: pure functions, asked by the study."""

from __future__ import annotations

import math

from orchestrator.job import Failure, FailureClass
from orchestrator.trial import Report


def problem_of(report: Report, required: set[str]) -> Failure | None:
    """What is wrong with a report: a metric that must be there is not, or is no finite number."""
    for metric in sorted(required):
        if metric not in report.metrics:
            given = ", ".join(sorted(report.metrics)) or "nothing"
            return Failure(FailureClass.EXCEPTION, f"epoch {report.epoch} must report `{metric}`, but reported {given}")
    for metric in sorted(required | {"train/loss"} & report.metrics.keys()):
        if not math.isfinite(report.metrics[metric]):
            message = f"`{metric}` is {report.metrics[metric]} at epoch {report.epoch}"
            return Failure(FailureClass.NON_FINITE, message)
    return None
