"""Small studies made by hand, for tests whose answers can be worked out on paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.trial import Objective, Report, State, Trial
from reports.numbers.study_view import StudyView

ACCURACY = Objective("val/accuracy", "max")
LOSS = Objective("val/loss", "min")


def trial(
    number: int,
    values: Sequence[float],
    state: str = "completed",
    *,
    metric: str = "val/accuracy",
    seconds: float = 100.0,
    config: dict[str, Any] | None = None,
    **changes: Any,
) -> Trial:
    """Makes a trial that reported `values` from epoch 1 on, each after `seconds`."""
    reports = tuple(
        Report(epoch, {metric: value}, seconds, 1000.0 * number + seconds * epoch)
        for epoch, value in enumerate(values, start=1)
    )
    return Trial(number, config or {"lr": 0.01 * number}, State(state), reports=reports, **changes)


def study(trials: Sequence[Trial], objective: Objective = ACCURACY, **changes: Any) -> StudyView:
    fields: dict[str, Any] = {
        "name": "made_up",
        "status": "finished",
        "reason": None,
        "objective": objective,
        "trials": list(trials),
        "searched": {"lr": {"low": 0.001, "high": 1.0, "log": True, "step": None}},
        "fixed": {},
        "scheduler": {"name": "none", "eta": 4, "grace_epochs": 1},
        "facts": {"file": "made_up.yaml"},
        "seconds": 1000.0,
        "trial_directory": Path("runs/made_up/trials"),
        "resources": {"gpu": 1, "cpu": 2},
    }
    return StudyView(**(fields | changes))
