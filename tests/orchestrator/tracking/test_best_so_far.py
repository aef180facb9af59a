"""MLflow's last value of best/METRIC is the ledger's best, of a trial and of the study."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.tracking.best_so_far import (
    BestSent,
    Point,
    former_leaders,
    study_best_points,
    trial_best_points,
)
from orchestrator.trial import Objective, Report, State, Trial, best_trial

ACC, LOSS = Objective("acc", "max"), Objective("loss", "min")
VALUES = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, math.nan, math.inf]), max_size=6)


def trial(
    number: int, values: list[float], at: float = 0.0, state: State = State.COMPLETED, name: str = "acc"
) -> Trial:
    """Makes a trial that began at `at` and reported once a second."""
    reports = tuple(Report(epoch, {name: value}, 1.0, at + epoch) for epoch, value in enumerate(values, 1))
    return Trial(number, {}, state, reports=reports, created=at)


def shown(points: list[Point]) -> float | None:
    """Returns the value that MLflow shows of one metric: that of the highest step, then of the latest time."""
    return max(points, key=lambda point: (point.step, point.at, point.value)).value if points else None


def test_a_run_shows_its_best_and_where_it_was() -> None:
    one = trial(1, [0.5, 0.8, 0.7, 0.9, 0.1])
    points = trial_best_points(one, one.reports, ACC)
    assert [(p.name, p.value, p.step) for p in points] == [
        ("best/acc", 0.5, 1),
        ("best_epoch", 1.0, 1),
        ("best/acc", 0.8, 2),
        ("best_epoch", 2.0, 2),
        ("best/acc", 0.9, 4),
        ("best_epoch", 4.0, 4),
    ]
    down = trial(1, [0.5, 0.2, 0.3], name="loss")
    assert [p.value for p in trial_best_points(down, down.reports, LOSS)] == [0.5, 1.0, 0.2, 2.0]


@given(VALUES)
def test_what_mlflow_shows_of_a_trial_is_its_value(values: list[float]) -> None:
    one = trial(1, values)
    points, best = trial_best_points(one, one.reports, ACC), one.best_report(ACC)
    assert shown([p for p in points if p.name == "best/acc"]) == one.value(ACC)
    assert shown([p for p in points if p.name == "best_epoch"]) == (best and best.epoch)


@given(st.lists(st.tuples(VALUES, st.integers(0, 9), st.sampled_from(State), st.booleans()), max_size=5), st.data())
def test_what_mlflow_shows_of_a_study_is_its_best_whatever_it_was_told_before(some: list, data: st.DataObject) -> None:
    trials = [
        replace(trial(number, values, at, state), left_out="no" if out else None)
        for number, (values, at, state, out) in enumerate(some, 1)
    ]
    before = [replace(one, state=State.RUNNING, left_out=None) for one in trials]  # All of them counted once.
    best = best_trial(trials, ACC)
    told = study_best_points(before, ACC) + study_best_points(trials, ACC, changed=100.0)
    if best is not None:
        assert shown(told) == best.value(ACC)
        assert shown(study_best_points(trials, ACC)) == best.value(ACC)
    else:
        assert study_best_points(trials, ACC) == []


def test_the_points_of_a_study_are_its_improvements() -> None:
    trials = [trial(1, [0.1, 0.4]), trial(2, [0.2, 0.3, 0.6], at=0.5)]
    points = [(p.value, p.at, p.step) for p in study_best_points(trials, ACC)]
    assert points == [(0.1, 1000, 2), (0.2, 1500, 2), (0.4, 2000, 2), (0.6, 3500, 2), (0.6, 3501, 2)]
    assert [one.number for one in former_leaders(trials, ACC)] == [1, 2]


def test_another_best_is_looked_for_only_where_there_may_be_one() -> None:
    sent = BestSent(3, 0.5)
    better, worse = (Report(1, {"acc": value}, 1.0, 1.0) for value in (0.6, 0.5))
    running = Trial(4, {})
    assert sent.changed_by(running, [worse, better], ACC) and not sent.changed_by(running, [worse], ACC)
    assert not sent.changed_by(running, [Report(1, {"acc": math.nan}, 1.0, 1.0)], ACC)
    assert sent.changed_by(Trial(3, {}, State.FAILED), [], ACC) and sent.changed_by(Trial(3, {}, left_out="x"), [], ACC)
    assert BestSent().changed_by(running, [worse], ACC)
    assert sent.changed_by(Trial(3, {}, attempts=2), [worse], ACC)  # It may have been better before it began again.
