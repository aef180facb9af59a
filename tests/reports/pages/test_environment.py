"""What a report says of the budget that was used, and of failures that were tried again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.job import FailureClass
from orchestrator.trial import FailedAttempt
from reports.pages.environment import environment
from reports.words import Words
from tests.reports.demo_study import demo_trials, demo_view


@pytest.mark.parametrize(
    ("lang", "name", "told"),
    [("en", "used of it", "trials 12 of 40, hours 3.25 of 60, gpu_hours 6.5 of 8"), ("ko", "사용한 예산", None)],
)
def test_what_was_used_of_each_limit_is_told(tmp_path: Path, lang: str, name: str, told: str | None):
    used = {"trials": 12, "hours": 3.25, "gpu_hours": 6.5, "trials_since_best": 4}
    facts = dict(
        environment(demo_view(tmp_path, used=used, budget={"trials": 40, "hours": 60, "gpu_hours": 8}), Words(lang))
    )
    assert name in facts
    assert told is None or facts[name] == told


def test_failures_are_counted_also_where_the_trial_was_tried_again(tmp_path: Path):
    first, *others = demo_trials()
    trials = [replace(first, failures=(FailedAttempt(FailureClass.OUT_OF_MEMORY, 0),) * 2), *others]
    facts = dict(environment(demo_view(tmp_path, trials=trials), Words("en")))
    assert facts["failures, retried ones too"] == "1 non finite, 3 out of memory"


def test_a_budget_without_limits_is_not_told(tmp_path: Path):
    facts = dict(environment(demo_view(tmp_path, used={"trials": 3}, budget={}), Words("en")))
    assert "used of it" not in facts
