"""Curves as experiments run by hand had them, and what they were found to mean."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from orchestrator.trial import Objective, Report, State, Trial
from reports.numbers.symptoms import Kind, symptom_of

ACCURACY = Objective("val/acc", "max")


def course(epochs: int, **series) -> Trial:
    """Makes a trial whose metrics are functions of the share of it that is done, from 0 to 1."""
    names = {"loss": "train/loss", "acc": "val/acc", "ned": "val/ned", "train_acc": "train/acc", "lr": "lr"}
    names |= {"val_loss": "val/loss", "cer": "val/cer"}
    metrics = [
        {names[name]: float(value(epoch / epochs)) for name, value in series.items()} for epoch in range(1, epochs + 1)
    ]
    return Trial(1, {}, reports=tuple(Report(e, m, 1.0, float(e)) for e, m in enumerate(metrics, start=1)))


def kind_of(trial: Trial, objective: Objective = ACCURACY) -> Kind | None:
    symptom = symptom_of(trial, objective)
    return None if symptom is None else symptom.kind


def cosine(done: float) -> float:
    return 1e-3 * (1 + math.cos(math.pi * done)) / 2


def test_a_loss_that_falls_while_accuracy_stays_at_nothing_is_stuck():
    # Run by hand, accuracy never rose above 0.015 and similarity stayed at 0.3 while the loss kept falling.
    trial = course(
        60, loss=lambda t: 3 - 2 * t, acc=lambda t: 0.015 * t, ned=lambda t: 0.3 + 0.01 * math.sin(40 * t), lr=cosine
    )
    assert kind_of(trial) is Kind.STUCK
    assert str(symptom_of(trial, ACCURACY)).startswith("stuck: train/loss fell from 2.47 to ")


def test_loss_and_accuracy_that_never_move_are_labels_without_effect():
    # Run by hand, loss and accuracy never moved, and similarity was 0.5.
    trial = course(20, loss=lambda t: 2.9 + 0.02 * math.cos(9 * t), acc=lambda t: 0, ned=lambda t: 0.5, lr=cosine)
    assert kind_of(trial) is Kind.LABELS


def test_labels_learnt_by_heart_that_carry_nothing_over_are_labels_without_effect():
    # Training on 500 drawn plates with shuffled labels went like this.
    trial = course(
        40,
        loss=lambda t: 3.3 - 2.3 * t,
        acc=lambda t: 0,
        train_acc=lambda t: 0.2 * t,
        ned=lambda t: 0.11 + 0.005 * t,
        lr=cosine,
    )
    assert kind_of(trial) is Kind.LABELS


def test_a_learning_rate_that_is_spent_in_the_middle_of_training_is_named():
    # Run by hand, the learning rate fell too low to learn; a min_lr mended it in the next run.
    learnt = {"loss": lambda t: 2.5 - 4 * min(t, 0.2), "acc": lambda t: 2 * min(t, 0.2), "ned": lambda t: min(t, 0.2)}
    decayed = course(20, lr=lambda t: 1e-3 * 0.1 ** int(t * 10), **learnt)
    symptom = symptom_of(decayed, ACCURACY)
    assert symptom is not None
    assert symptom.kind is Kind.LR_SPENT
    assert symptom.numbers["epoch"] == 4  # The learning rate is 1e-5 from a fifth of the epochs on.
    bounded = course(20, lr=lambda t: max(1e-3 * 0.1 ** int(t * 10), 1e-4), **learnt)
    assert kind_of(bounded) is not Kind.LR_SPENT


def test_a_training_loss_that_still_falls_below_a_falling_validation_is_overfit():
    # Run by hand, accuracy in training was 0.85 while that in validation fell.
    trial = course(40, loss=lambda t: 2 * math.exp(-3 * t), acc=lambda t: 0.8 - 0.3 * abs(t - 0.4), lr=cosine)
    assert kind_of(trial) is Kind.OVERFIT


def test_training_far_above_validation_is_overfit():
    # Run by hand, training was 13 points ahead of validation.
    trial = course(
        40,
        loss=lambda t: 2 * math.exp(-3 * t),
        acc=lambda t: 0.66 * min(1, 2 * t),
        train_acc=lambda t: 0.8 * min(1, 2 * t),
        lr=cosine,
    )
    assert kind_of(trial) is Kind.OVERFIT


def test_overfitting_is_told_by_what_shows_it():
    falling = course(40, loss=lambda t: 2 * math.exp(-3 * t), acc=lambda t: 0.8 - 0.3 * abs(t - 0.4), lr=cosine)
    assert "while train/loss fell from 0.602 to 0.1" in str(symptom_of(falling, ACCURACY))
    apart = course(40, loss=lambda t: 0.05, acc=lambda t: 0.84, train_acc=lambda t: 0.98, lr=cosine)
    assert str(symptom_of(apart, ACCURACY)).startswith("overfit: 0.98 in training, 0.84 in validation; ")


def test_a_training_loss_that_rises_to_twice_its_smallest_has_diverged():
    assert kind_of(course(12, loss=lambda t: 1 + 8 * max(0, t - 0.5), acc=lambda t: 0.5)) is Kind.DIVERGED


@pytest.mark.parametrize("epochs", [6, 20, 100])
def test_a_course_that_learns_to_the_end_has_no_symptom(epochs: int):
    trial = course(
        epochs,
        loss=lambda t: 3 * math.exp(-3 * t),
        acc=lambda t: 0.93 * (1 - math.exp(-5 * t)),
        ned=lambda t: 0.98 * (1 - math.exp(-9 * t)),
        lr=cosine,
    )
    assert symptom_of(trial, ACCURACY) is None


def test_the_plateau_of_ctc_that_ends_is_no_symptom():
    trial = course(
        30, loss=lambda t: 3 - 2.5 * t, acc=lambda t: max(0, 2 * (t - 0.6)), ned=lambda t: 0.3 + 0.6 * t, lr=cosine
    )
    assert symptom_of(trial, ACCURACY) is None


def test_a_trial_cut_on_the_plateau_is_not_called_stuck():
    trial = course(16, loss=lambda t: 3 - t, acc=lambda t: 0, ned=lambda t: 0.27, lr=cosine)
    assert kind_of(trial) is Kind.STUCK
    assert symptom_of(replace(trial, state=State.PRUNED), ACCURACY) is None


def test_a_short_course_or_one_without_a_loss_says_nothing():
    assert symptom_of(course(5, loss=lambda t: 3, acc=lambda t: 0), ACCURACY) is None
    assert symptom_of(course(30, acc=lambda t: 0), ACCURACY) is None
    assert symptom_of(Trial(1, {}), ACCURACY) is None


def test_data_learnt_by_heart_while_another_score_rises_are_overfit_and_not_labels_without_effect():
    # 120 right crops were learned by heart: accuracy in validation stayed at 0.05, similarity rose from 0.26 to 0.67.
    trial = course(
        60,
        loss=lambda t: 3 * math.exp(-5 * t),
        acc=lambda t: 0.05 * t,
        ned=lambda t: 0.26 + 0.41 * t,
        train_acc=lambda t: min(1.0, 1.2 * t),
        lr=cosine,
    )
    assert kind_of(trial) is Kind.OVERFIT
    assert str(symptom_of(trial, ACCURACY)).startswith("overfit: 1 in training, 0.05 in validation")


FLAT = {"acc": lambda t: 0.01, "loss": lambda t: 3 - 2 * t, "lr": cosine}
LEARNT_BY_HEART = {"acc": lambda t: 0.01, "loss": lambda t: 3 - 2.5 * t, "train_acc": lambda t: t, "lr": cosine}


@pytest.mark.parametrize(
    "other",
    [
        {"ned": lambda t: 0.2 + 0.5 * t},  # a score that rises
        {"cer": lambda t: 0.9 - 0.5 * t},  # a share of errors that falls
        {"cer": lambda t: 1.4 - 0.6 * t},  # more errors than letters, but ever fewer
        {"val_loss": lambda t: 3 - 1.5 * t},
    ],
)
def test_no_rule_accuses_where_another_metric_of_validation_got_better(other):
    assert kind_of(course(40, **FLAT, **other)) is None
    assert kind_of(course(40, **LEARNT_BY_HEART, **other)) is Kind.OVERFIT
    spent = {"lr": lambda t: 1e-3 if t < 0.3 else 1e-6, "loss": lambda t: 2.5 - 4 * min(t, 0.3)}
    assert kind_of(course(40, acc=lambda t: 2 * min(t, 0.3), **spent)) is Kind.LR_SPENT
    assert kind_of(course(40, acc=lambda t: 2 * min(t, 0.3), **spent, **other)) is not Kind.LR_SPENT


@pytest.mark.parametrize(
    "other", [{"ned": lambda t: 0.3}, {"cer": lambda t: 0.9 + 0.5 * t}, {"val_loss": lambda t: 3 + t}]
)
def test_metrics_that_stand_still_or_get_worse_excuse_nothing(other):
    assert kind_of(course(40, **LEARNT_BY_HEART, **other)) is Kind.LABELS


def test_a_loss_that_wobbles_at_nothing_or_rises_while_validation_improves_has_not_diverged():
    assert (
        kind_of(course(30, loss=lambda t: 2.3 * math.exp(-40 * t) + 0.002 + 0.003 * (t > 0.6), acc=lambda t: 0.9))
        is None
    )
    harder = course(30, loss=lambda t: 1 - t if t < 0.5 else 1.2, acc=lambda t: 0.5 + 0.4 * t)
    assert kind_of(harder) is None


def test_a_fall_of_the_score_is_no_overfitting_where_another_score_rises_by_more():
    falling = {"loss": lambda t: 2 * math.exp(-3 * t), "acc": lambda t: 0.6 - 0.1 * t, "lr": cosine}
    assert kind_of(course(40, **falling)) is Kind.OVERFIT
    assert kind_of(course(40, **falling, ned=lambda t: 0.5 + 0.4 * t)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"epochs": 60}},  # It runs, or was paused.
        {"state": State.COMPLETED, "reason": "stopped early: val/acc did not improve for 5 epochs"},
    ],
)
def test_a_trial_that_did_not_come_to_its_last_epoch_is_not_called_stuck(change):
    trial = course(16, loss=lambda t: 3 - t, acc=lambda t: 0, ned=lambda t: 0.27, lr=cosine)
    assert kind_of(replace(trial, config={"epochs": 16})) is Kind.STUCK
    assert symptom_of(replace(trial, **change), ACCURACY) is None


def test_no_sentence_tells_a_learning_rate_that_was_not_reported():
    trial = course(20, loss=lambda t: 2.9, acc=lambda t: 0)
    assert "nan" not in str(symptom_of(trial, ACCURACY))


def test_an_objective_that_is_no_score_is_judged_by_the_loss_alone():
    trial = course(20, loss=lambda t: 2.9, acc=lambda t: 0)
    assert symptom_of(trial, Objective("train/loss", "min")) is None
