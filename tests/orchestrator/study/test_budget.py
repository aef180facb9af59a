"""When a session must stop, and when the search is over."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InputMistake
from orchestrator.study.budget import Allowance, Limits, deadline, over, trials_since_best
from orchestrator.study_file.sections import BudgetSpec
from orchestrator.trial import Objective, Report, State, Trial

NOON = datetime(2026, 3, 10, 12, 0).timestamp()


def test_the_earliest_limit_counts():
    def left(**limits: Any) -> float:
        given = {"hours_in_all": None, "seconds_used": 0.0, "hours": None, "until": None} | limits
        return deadline(50.0, NOON, **given).left(50.0, NOON)

    assert left(hours_in_all=10, seconds_used=9.5 * 3600, hours=2, until="13:00") == 1800
    assert left(hours_in_all=10, hours=2, until="13:00") == 3600
    assert left(hours=2) == 7200
    assert left() == math.inf


def test_a_used_up_budget_ends_at_once():
    ended = deadline(50.0, NOON, hours_in_all=1, seconds_used=7200, hours=None, until=None)
    assert ended.left(50.0, NOON) == 0


@pytest.mark.parametrize("hours", [-9, -2, 9])
def test_a_clock_that_is_set_moves_a_time_of_day_and_no_hours(hours: float):
    by_hours = deadline(50.0, NOON, hours_in_all=8, seconds_used=0, hours=None, until=None)
    assert by_hours.left(50.0 + 60, NOON + 60 + hours * 3600) == 8 * 3600 - 60
    by_day = deadline(50.0, NOON, hours_in_all=None, seconds_used=0, hours=None, until="23:00")
    assert by_day.left(50.0 + 60, NOON + 60 + hours * 3600) == (11 - hours) * 3600 - 60


def scored(number: int, state: State, *values: float, at: float = 0.0) -> Trial:
    reports = tuple(Report(i + 1, {"m": value}, 1.0, at + i) for i, value in enumerate(values))
    return Trial(number, {}, state, reports=reports)


def test_a_target_is_reached_by_a_value_as_good_as_it():
    budget = BudgetSpec(target=0.9)
    assert over(budget, Objective("m", "max"), scored(1, State.RUNNING, 0.5, 0.9, 0.2), 0) is not None
    assert over(budget, Objective("m", "max"), scored(1, State.RUNNING, 0.5, 0.8999), 0) is None
    assert (
        over(budget, Objective("m", "min"), scored(1, State.RUNNING, 0.95, 0.9), 0) == "the target was reached: m 0.9"
    )
    assert over(budget, Objective("m", "max"), scored(1, State.RUNNING), 0) is None


def test_patience_ends_with_the_trials_since_the_best():
    best = scored(1, State.RUNNING, 0.5)
    assert over(BudgetSpec(patience=3), Objective("m", "max"), best, 2) is None
    assert over(BudgetSpec(patience=3), Objective("m", "max"), best, 3) == "3 trials ended since m last improved"


def test_trials_count_since_the_best_when_they_ended_after_its_best_epoch_and_did_not_fail():
    trials = [
        scored(1, State.COMPLETED, 0.2, at=0.0),
        scored(2, State.RUNNING, 0.3, 0.9, 0.4, at=10.0),  # the best, at 11
        scored(3, State.PRUNED, 0.1, at=10.5),  # ended before
        scored(4, State.PRUNED, 0.1, at=11.5),
        scored(5, State.COMPLETED, 0.1, 0.2, 0.3, at=9.5),  # ended at 11.5
        scored(6, State.FAILED, 0.1, at=20.0),
        scored(7, State.PAUSED, 0.1, at=20.0),
    ]
    assert trials_since_best(trials, trials[1], Objective("m", "max")) == 2


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.floats(0.0, 100.0)), max_size=30), st.floats(0.0, 50.0))
def test_gpu_seconds_are_those_of_every_running_trial_added_up(events: list[tuple[bool, int, float]], before: float):
    now = 0.0
    allowance = Allowance(1.0, before, lambda: now)
    allowance.gpus = 0.5
    running: set[int] = set()
    expected = before
    for starts, number, seconds in events:
        if starts and number not in running:
            allowance.start(number)
            running.add(number)
        elif not starts:
            allowance.end(number)
            running.discard(number)
        now += seconds
        expected += 0.5 * seconds * len(running)
        assert allowance.gpu_seconds == pytest.approx(expected)
        assert (allowance.used_up is not None) == (allowance.gpu_seconds >= 3600.0)


def test_one_trial_more_has_until_the_deadline_or_until_all_have_used_up_the_gpu_hours():
    now = 1000.0
    allowance = Allowance(2.0, 3600.0, lambda: now)
    assert allowance.seconds == math.inf  # trials take no GPU
    allowance.gpus = 1.0
    assert allowance.seconds == 3600.0
    allowance.start(1)
    assert allowance.seconds == 1800.0
    allowance.ends = 1500.0
    assert allowance.seconds == 500.0
    now = 1600.0
    assert allowance.seconds == -100.0


def test_a_moment_with_a_date_that_has_passed_ends_the_session_at_once_and_not_a_day_later():
    limits = Limits(until="2026-03-10T11:59:30")
    ended = deadline(50.0, NOON, hours_in_all=None, seconds_used=0, hours=None, until=limits.until)
    assert ended.left(50.0, NOON) == -30
    with pytest.raises(InputMistake, match="--until: must be a time of day such as 07:00, or a moment"):
        Limits.parse(None, None, "7 am")


def test_a_moment_that_passed_before_the_command_was_typed_is_refused_and_one_of_just_now_is_not():
    with pytest.raises(InputMistake, match=r"--until: must be a moment to come, but got '2026-01-01 07:00'"):
        Limits.parse(None, None, "2026-01-01 07:00")
    just_now = datetime.fromtimestamp(time.time() - 2, UTC).isoformat("T", "seconds")
    assert Limits.parse(None, None, just_now).until == just_now
