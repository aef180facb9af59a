"""Checks ASHA against Optuna's successive halving, against the paper's definition, and what it promises itself."""

from __future__ import annotations

import random
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.policies.asha import Asha, Rung, is_rung, rungs_up_to, survives
from orchestrator.policies.policy import Decision


def test_rungs_lie_at_grace_times_powers_of_eta():
    assert [epoch for epoch in range(1, 70) if is_rung(epoch, 1, 4)] == [1, 4, 16, 64]
    assert [epoch for epoch in range(1, 60) if is_rung(epoch, 2, 3)] == [2, 6, 18, 54]


def test_the_last_epoch_is_no_rung_because_stopping_there_saves_nothing():
    assert rungs_up_to(16, 1, 4) == [1, 4]
    assert rungs_up_to(17, 1, 4) == [1, 4, 16]


@pytest.mark.parametrize("settings", [{"eta": 1}, {"grace_epochs": 0}, {"mode": "maximum"}])
def test_settings_under_which_it_could_never_decide_are_refused(settings: dict[str, Any]):
    with pytest.raises(ValueError, match="must hold, but got"):
        Asha(**settings)


def test_the_expected_epochs_are_those_of_a_hand_made_tournament():
    # 16 trials take 1 epoch each, 4 of them 3 more, 1 of those 12 more.
    assert Asha(eta=4, grace_epochs=1).expected_epochs(16, 16) == 16 * 1 + 4 * 3 + 1 * 12
    # Where the grace outlasts the trial, none is stopped.
    assert Asha(eta=4, grace_epochs=9).expected_epochs(8, 4) == 8 * 4


def test_asha_stops_the_worst_three_quarters_at_the_first_rung_when_the_best_came_first():
    asha = Asha(eta=4)
    decisions = [asha.report(trial, 1, 1.0 - trial / 8) for trial in range(8)]
    assert decisions == [Decision.CONTINUE] + [Decision.PRUNE] * 7


def test_equal_scores_survive_together():
    assert survives(0.5, [0.5, 0.5, 0.5, 0.5], 4)


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from([0.1, 0.2, 0.2, 0.3, 0.5])), min_size=1))
def test_a_rung_holds_the_last_score_of_each_trial_in_order(told: list[tuple[int, float]]):
    rung = Rung()
    for trial, score in told:
        rung.add(trial, score)
    assert rung.ranked == sorted(dict(told).values())


def test_a_loss_is_minimised():
    asha = Asha(eta=2, mode="min")
    assert asha.report(1, 1, 0.2) is Decision.CONTINUE
    assert asha.report(2, 1, 0.3) is Decision.PRUNE
    assert asha.report(3, 1, 0.1) is Decision.CONTINUE


def test_one_bad_epoch_at_a_rung_does_not_cost_a_good_trial_its_life():
    asha = Asha(eta=4)
    for epoch, value in ((1, 0.5), (2, 0.6), (3, 0.6), (4, 0.65)):
        assert asha.report(1, epoch, value) is Decision.CONTINUE
    for epoch, value in ((1, 0.54), (2, 0.9), (3, 0.95), (4, 0.78)):  # The resolution rises at epoch 4.
        assert asha.report(2, epoch, value) is Decision.CONTINUE


@given(st.lists(st.lists(st.floats(0, 1), min_size=5, max_size=5), min_size=1, max_size=25), st.sampled_from([2, 3, 4]))
def test_decisions_are_those_of_optunas_successive_halving(curves: list[list[float]], eta: int):
    """On curves that only rise: there the best value so far, which we judge by, is the value that Optuna judges by."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=eta, min_early_stopping_rate=0)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    asha = Asha(eta=eta, grace_epochs=1)
    for number, curve in enumerate(curves):
        trial = study.ask()
        for epoch, value in enumerate(sorted(curve), start=1):
            trial.report(value, epoch)
            pruned = trial.should_prune()
            assert (asha.report(number, epoch, value) is Decision.PRUNE) == pruned
            if pruned:
                break
        study.tell(
            trial,
            state=optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.COMPLETE,
            values=None if pruned else [value],
        )


def successive_halving(reports: list[tuple[int, int, float]], eta: int) -> list[Decision]:
    """Decides as the paper's definition says, looking at all reports again for each one.

    A trial goes on from a rung if its best value so far is among the best 1/eta, or the best, of those that the rung
    has seen.
    """
    decisions = []
    for count, (trial, epoch, _) in enumerate(reports, start=1):
        past = reports[:count]
        met = {other for other, e, _ in past if e == epoch}
        best = {other: max(value for o, e, value in past if o == other and e <= epoch) for other in met}
        better = sum(value > best[trial] for value in best.values())
        stops = epoch in (1, eta, eta**2, eta**3) and better >= max(1, len(met) // eta)
        decisions.append(Decision.PRUNE if stops else Decision.CONTINUE)
    return decisions


@given(
    st.lists(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5]), min_size=1, max_size=9), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
    st.sampled_from([2, 3, 4]),
)
def test_decisions_about_interleaved_curves_that_rise_and_fall_are_those_of_the_paper(
    curves: list[list[float]], rng: random.Random, eta: int
):
    order = [trial for trial, curve in enumerate(curves) for _ in curve]
    rng.shuffle(order)
    epochs = [order[: position + 1].count(trial) for position, trial in enumerate(order)]
    reports = [(trial, epoch, curves[trial][epoch - 1]) for trial, epoch in zip(order, epochs, strict=True)]
    asha = Asha(eta=eta)
    assert [asha.report(*report) for report in reports] == successive_halving(reports, eta)
