"""The numbers of a report against cases worked out on paper."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from orchestrator.trial import State
from reports.numbers.comparison import compare, epoch_noise, shown_test_lead, value_on_test
from reports.numbers.quantity import Scale, scale_of
from tests.reports.few_trials import ACCURACY, LOSS, study, trial


def test_the_best_is_ahead_of_runner_up_and_baseline_by_their_differences():
    found = compare(
        study(
            [
                trial(1, [0.80, 0.90], baseline="by hand", test={"test/accuracy": 0.88}),
                trial(2, [0.70, 0.94, 0.93], test={"test/accuracy": 0.91}),
                trial(3, [0.92]),
            ]
        )
    )
    assert found.best is not None and (found.best.number, found.best.value, found.best.best_epoch) == (2, 0.94, 2)
    [lead] = found.baselines
    assert (lead.ahead, lead.other, lead.baseline) == (2, 1, "by hand")
    assert lead.by == pytest.approx(0.04)
    assert lead.relative == pytest.approx(0.04 / 0.90)
    assert lead.test_by == pytest.approx(0.03)
    assert found.runner_up is not None and found.runner_up.other == 3
    assert found.runner_up.by == pytest.approx(0.02)
    assert found.median == pytest.approx(0.92)
    assert [row.rank for row in found.rows] == [1, 2, 3]
    assert [row.behind for row in found.rows] == pytest.approx([0.0, 0.02, 0.04])


def test_the_lead_on_the_test_split_is_the_one_that_the_shown_values_have():
    trials = [trial(1, [0.80], test={"test/accuracy": 0.8432203}), trial(2, [0.91], test={"test/accuracy": 0.9270687})]
    found = compare(study([*trials, trial(3, [0.5])]))
    assert shown_test_lead(found, 2, 1) == pytest.approx(0.0839)  # 92.71 - 84.32; without rounding 8.38
    assert shown_test_lead(found, 2, 3) is None
    losses = [trial(n, [n / 10], metric="val/loss", test={"test/loss": n / 10}) for n in (1, 3)]
    assert shown_test_lead(compare(study(losses, LOSS)), 1, 3) == pytest.approx(0.2)


def test_with_an_objective_to_be_made_small_being_ahead_is_being_smaller():
    trials = [trial(1, [0.5, 0.4], metric="val/loss", baseline="old"), trial(2, [0.6, 0.3], metric="val/loss")]
    found = compare(study(trials, LOSS))
    assert found.best is not None and found.best.number == 2
    assert found.baselines[0].by == pytest.approx(0.1)
    assert found.rows[1].behind == pytest.approx(0.1)


def test_a_baseline_that_is_best_is_compared_with_the_best_trial_that_is_none():
    trials = [trial(1, [0.9], baseline="a"), trial(2, [0.89], baseline="b"), trial(3, [0.85])]
    found = compare(study(trials))
    assert found.searched_best is not None
    assert (found.searched_best.ahead, found.searched_best.other) == (1, 3)
    assert [lead.baseline for lead in found.baselines] == ["b"]


def test_a_failed_trial_is_neither_best_nor_counted_in_the_median():
    trials = [trial(1, [0.5]), trial(2, [0.99], "failed", reason="exception: x"), trial(3, [0.7])]
    found = compare(study(trials))
    assert found.best is not None and found.best.number == 3
    assert found.median == pytest.approx(0.6)
    assert found.scored == 2
    assert found.rows[-1].number == 2 and found.rows[-1].rank is None and found.rows[-1].value == 0.99
    assert found.counts == {State.COMPLETED: 2, State.FAILED: 1}


def test_equal_values_share_a_rank_and_the_earliest_is_the_best():
    found = compare(study([trial(1, [0.7]), trial(2, [0.8]), trial(3, [0.8])]))
    assert [(row.number, row.rank) for row in found.rows] == [(2, 1), (3, 1), (1, 3)]


def test_values_that_are_not_finite_are_no_values():
    found = compare(study([trial(1, [math.nan, math.inf]), trial(2, [math.nan, 0.5])]))
    assert found.best is not None and found.best.number == 2
    assert found.scored == 1 and found.runner_up is None


def test_a_study_without_trials_has_no_best_and_costs_nothing():
    found = compare(study([]))
    assert found.best is None and found.median is None and found.cost.device_hours == 0.0


def test_stopping_early_saves_the_epochs_up_to_the_longest_trial():
    trials = [
        trial(1, [0.1] * 16),
        trial(2, [0.1] * 4, "pruned", seconds=50.0),  # 12 epochs of 50 s not run
        trial(3, [0.1], "pruned", config={"lr": 1.0, "epochs": 8}),  # its own 8 epochs: 7 of 100 s not run
        trial(4, [0.1] * 3, "failed"),  # a failure saves nothing
    ]
    cost = compare(study(trials)).cost
    assert (cost.epochs, cost.saved_epochs) == (24, 19)
    assert cost.saved_seconds == pytest.approx(12 * 50.0 + 7 * 100.0)
    assert cost.saved_share == pytest.approx(19 / 43)
    assert cost.seconds == pytest.approx(1600 + 200 + 100 + 300)


@pytest.mark.parametrize(
    ("resources", "device", "gpus", "expected"),
    [
        ({"gpu": 0.5, "cpu": 4}, "cuda", None, ("gpu", 0.5)),
        ({"gpu": "auto", "cpu": 4}, "cuda:0", None, ("gpu", 1.0)),
        ({"gpu": "auto", "cpu": 2}, "cpu", None, ("cpu", 2.0)),
        ({"gpu": 0, "cpu": 2}, None, ["H200"], ("cpu", 2.0)),
        ({"gpu": 1}, None, None, ("gpu", 1.0)),
        ({"cpu": 2}, None, [], ("cpu", 2.0)),
        ({}, None, ["H200"], ("gpu", 1.0)),
        ({}, None, None, ("trial", 1.0)),
    ],
)
def test_hours_are_of_what_a_trial_occupied(resources, device, gpus, expected):
    trials = [trial(1, [0.5], seconds=3600.0, facts={} if device is None else {"device": device})]
    cost = compare(study(trials, resources=resources, facts={} if gpus is None else {"gpus": gpus})).cost
    assert (cost.device, cost.per_trial) == expected
    assert cost.device_hours == pytest.approx(expected[1])


def test_epoch_noise_is_the_standard_deviation_around_a_trend():
    rng = random.Random(0)
    sigmas = []
    for _ in range(200):
        points = [(e, 0.01 * e + rng.gauss(0.0, 0.05)) for e in range(1, 61)]
        found = epoch_noise(points)
        assert found is not None
        sigmas.append(found)
    assert statistics.fmean(sigmas) == pytest.approx(0.05, rel=0.05)


def test_epoch_noise_of_a_smooth_curve_is_nothing_and_few_epochs_say_nothing():
    assert epoch_noise([(e, 0.1 * e - 0.003 * e * e) for e in range(1, 13)]) == pytest.approx(0.0, abs=1e-12)
    learning = epoch_noise([(e, 1.0 - 0.6**e) for e in range(1, 17)])  # bends, but is smooth
    assert learning is not None and learning < 0.0002
    assert epoch_noise([(e, 0.1) for e in range(1, 11)]) is None  # five values in the last half: two third differences


def test_the_test_metric_is_the_one_of_the_objectives_name():
    tested = trial(1, [0.5], test={"test/precision": 0.9, "test/accuracy": 0.8})
    assert value_on_test(tested, ACCURACY) == 0.8
    assert value_on_test(trial(1, [0.5], test={"test/precision": 0.9}), ACCURACY) is None
    assert value_on_test(trial(1, [0.5]), ACCURACY) is None


@pytest.mark.parametrize(
    ("metric", "values", "scale"),
    [
        ("val/hmean", [0.9, 0.8], Scale("fraction", 2)),
        ("val/hmean", [0.90001, 0.90003, 0.5], Scale("fraction", 3)),  # 0.002 points apart
        ("val/hmean", [96.1, 95.2], Scale("percent", 2)),
        ("val/loss", [0.9, 0.8], Scale("plain", 3)),
        ("val/cross_entropy", [0.9, 0.8], Scale("plain", 3)),
        ("val/seconds", [120.0, 340.0], Scale("plain", 0)),
        ("val/score", [-0.2, 0.8], Scale("plain", 2)),
        ("val/score", [], Scale()),
        ("val/score", [0.5, 0.5], Scale("fraction", 2)),
    ],
)
def test_fractions_are_shown_as_percentages_and_losses_as_they_are(metric, values, scale):
    from orchestrator.trial import Objective

    assert scale_of(Objective(metric, "max"), values) == scale


def test_a_difference_is_that_of_the_values_shown():
    scale = Scale("fraction", 2)
    assert scale.difference(0.964449, 0.962851) == pytest.approx(0.0015)  # 96.44 - 96.29, though 0.16 is nearer
    assert scale.difference(0.964449, 0.964441) == pytest.approx(0.000008)  # both 96.44: the difference itself
