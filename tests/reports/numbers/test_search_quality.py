"""Where trials were cut, what parameters did, why trials failed; statistics against SciPy's."""

from __future__ import annotations

import random

import pytest
import scipy.stats

from reports.numbers.comparison import compare
from reports.numbers.rank_statistics import Correlation, chi_square_95, explained, rank_correlation, ranks, thirds
from reports.numbers.search_quality import failures, position, rungs, slices
from tests.reports.few_trials import study, trial

ASHA = {"name": "asha", "eta": 2, "grace_epochs": 1}


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlation_is_scipys_spearman_also_with_ties(seed):
    rng = random.Random(seed)
    pairs = [(rng.randrange(6), rng.random() if seed % 2 else rng.randrange(4)) for _ in range(20)]
    found = rank_correlation(pairs)
    assert found is not None
    assert found.value == pytest.approx(scipy.stats.spearmanr(*zip(*pairs, strict=True)).statistic)
    assert ranks([a for a, _ in pairs]) == scipy.stats.rankdata([a for a, _ in pairs]).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_the_share_explained_is_scipys_kruskal_over_n_minus_1(seed):
    rng = random.Random(seed)
    groups = [rng.choice("abc") for _ in range(30)]
    values = [rng.randrange(12) + 3 * (group == "a") for group in groups]
    split = [[v for v, g in zip(values, groups, strict=True) if g == name] for name in "abc"]
    found = explained(groups, values)
    assert found is not None
    assert found.value == pytest.approx(scipy.stats.kruskal(*split).statistic / 29)


def test_chance_is_chi_squares_95th_percentile():
    for degrees in (1, 2, 3, 7):
        assert chi_square_95(degrees) == pytest.approx(scipy.stats.chi2.ppf(0.95, degrees), rel=0.03)


def test_parameters_without_effect_stay_below_chance_nineteen_times_of_twenty():
    rng = random.Random(0)
    above = 0
    for _ in range(600):
        found = explained(thirds([rng.random() for _ in range(24)]), [rng.random() for _ in range(24)])
        assert found is not None
        above += found.value > found.by_chance
    assert 0.02 < above / 600 < 0.08


def test_thirds_keep_equals_together():
    assert thirds([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == [0, 0, 1, 1, 2, 2]
    assert len(set(thirds([1.0, 1.0, 1.0, 9.0])[:3])) == 1


def test_nothing_is_said_of_one_group_or_of_equal_values():
    assert explained([0, 0, 0], [1.0, 2.0, 3.0]) is None
    assert explained([0, 1, 2], [1.0, 2.0, 3.0]) is None  # each a group of its own
    assert explained([0, 0, 1, 1], [1.0, 1.0, 1.0, 1.0]) is None
    assert rank_correlation([(1.0, 2.0), (1.0, 3.0)]) is None


def test_the_interval_of_few_pairs_is_wide_and_holds_the_value():
    low, high = Correlation(0.8, 10).interval
    assert (low, high) == pytest.approx((0.2426, 0.9603), abs=0.001)  # tanh(atanh(.8) -+ 1.96 sqrt(1.32 / 7))
    assert Correlation(1.0, 5).interval[1] == 1.0 and Correlation(1.0, 5).interval[0] < 0.9
    assert Correlation(1.0, 3).interval == (-1.0, 1.0)


def test_a_rung_says_who_came_who_was_cut_and_how_well_it_foretold_the_end():
    completed = [trial(n, [0.1 * n, 0.1 * n + 0.01, 0.1 * n + 0.02]) for n in range(1, 7)]
    pruned = [trial(7, [0.05], "pruned"), trial(8, [0.01, 0.02], "pruned")]
    first, second = rungs(compare(study([*completed, *pruned], scheduler=ASHA)))
    assert (first.epoch, first.seen, first.cut, first.compared) == (1, 8, 1, 6)
    assert first.correlation == pytest.approx(1.0)
    assert first.winner_rank == 1
    assert (second.epoch, second.seen, second.cut) == (2, 7, 1)


def test_a_rung_that_turns_the_order_round_has_a_negative_correlation():
    trials = [trial(n, [0.1 * n, 0.9 - 0.1 * n, 0.5], config={"lr": 0.1}) for n in range(1, 4)]
    trials += [trial(n, [0.01 * n, 0.9 - 0.01 * n, 0.5], config={"lr": 0.1}) for n in range(4, 8)]
    first, _ = rungs(compare(study(trials, scheduler=ASHA)))
    assert first.correlation == pytest.approx(-1.0)
    assert first.winner_rank == 7


def test_few_completed_trials_have_no_correlation():
    first, *_ = rungs(compare(study([trial(n, [0.1 * n] * 3) for n in range(1, 5)], scheduler=ASHA)))
    assert first.compared == 4 and first.correlation is None


def test_without_asha_there_are_no_rungs():
    assert rungs(compare(study([trial(1, [0.1] * 9)]))) == ()


def test_a_rung_counts_the_metric_that_the_scheduler_watches():
    watched = ASHA | {"metric": "train/loss", "mode": "min"}
    first, *_ = rungs(compare(study([trial(1, [0.1] * 3), trial(2, [0.2] * 3)], scheduler=watched)))
    assert first.seen == 0


def lr_study(values: dict[float, float], low: float = 0.001, high: float = 1.0):
    trials = [trial(n, [value], config={"lr": lr}) for n, (lr, value) in enumerate(values.items(), start=1)]
    return compare(study(trials, searched={"lr": {"low": low, "high": high, "log": True, "step": None}}))


def test_the_best_within_a_twentieth_of_a_bound_lies_at_the_edge_by_order_of_magnitude():
    [near] = slices(lr_study({0.0013: 0.9, 0.1: 0.5}))  # 0.038 of three decades
    [far] = slices(lr_study({0.0015: 0.9, 0.1: 0.5}))  # 0.059
    [upper] = slices(lr_study({0.9: 0.9, 0.1: 0.5}))
    assert (near.edge, far.edge, upper.edge) == ("low", None, "high")
    assert not near.natural and near.edge_by_chance == pytest.approx(0.1)


def test_an_edge_leans_only_where_the_best_quarter_lies_there_too():
    leaning = {0.0011: 0.9, 0.002: 0.89, 0.003: 0.88} | {0.1 * n: 0.5 + 0.01 * n for n in range(1, 9)}
    alone = {0.0011: 0.9, 0.2: 0.89, 0.3: 0.88, 0.4: 0.87} | {0.001 * n: 0.5 - 0.01 * n for n in range(2, 9)}
    assert slices(lr_study(leaning))[0].leaning
    assert not slices(lr_study(alone))[0].leaning
    assert slices(lr_study(alone))[0].edge == "low"


def test_zero_and_one_are_natural_bounds():
    trials = [
        trial(1, [0.9], config={"p": 0.0, "q": 1.0, "k": 0}),
        trial(2, [0.5], config={"p": 0.5, "q": 0.5, "k": 3}),
    ]
    unit = {"low": 0.0, "high": 1.0, "log": False, "step": None}
    count = {"low": 0, "high": 3, "log": False, "step": 1}
    found = {each.name: each for each in slices(compare(study(trials, searched={"p": unit, "q": unit, "k": count})))}
    assert all(each.natural for each in found.values())
    assert found["k"].edge_by_chance == pytest.approx(0.5)  # 2 of the 4 values


def test_a_parameter_that_decides_explains_the_ranking_and_one_that_does_not_stays_within_chance():
    rng = random.Random(1)
    configs = [{"lr": 10 ** rng.uniform(-3, 0), "kind": rng.choice(["a", "b"])} for _ in range(30)]
    trials = [trial(n, [0.9 - config["lr"] * 0.5], config=config) for n, config in enumerate(configs, start=1)]
    searched = {"lr": {"low": 0.001, "high": 1.0, "log": True, "step": None}, "kind": {"choices": ["a", "b"]}}
    first, second = slices(compare(study(trials, searched=searched)))
    assert (first.name, second.name) == ("lr", "kind")
    assert first.explained is not None and first.explained > 0.8
    assert first.correlation == pytest.approx(-1.0)
    assert second.explained is not None and second.by_chance is not None and second.explained < second.by_chance
    assert second.choices == ("a", "b") and second.edge is None


def test_a_name_that_only_some_trials_have_is_told_of_those():
    trials = [trial(n, [0.1 * n], config={"lr": 0.1 * n} | ({"drop": 0.1 * n} if n > 2 else {})) for n in range(1, 5)]
    searched = {"lr": {"low": 0.01, "high": 1.0, "log": False}, "drop": {"low": 0.0, "high": 0.5, "log": False}}
    found = {each.name: each for each in slices(compare(study(trials, searched=searched)))}
    assert [number for number, *_ in found["drop"].points] == [4, 3]


def test_position_counts_by_order_of_magnitude_and_stays_within_the_range():
    log = {"low": 0.001, "high": 1.0, "log": True}
    assert position(0.0316228, log) == pytest.approx(0.5, abs=1e-6)
    assert position(0.5, {"low": 0.0, "high": 2.0, "log": False}) == 0.25
    assert position(9.0, log) == 1.0
    assert position("cosine", {"choices": ["cosine"]}) is None


def test_failures_that_differ_in_numbers_alone_are_told_once():
    trials = [
        trial(1, [], "failed", reason="out of memory: tried 2.31 GiB"),
        trial(2, [], "failed", reason="exception: ValueError: bad label"),
        trial(3, [], "failed", reason="out of memory: tried 1.07 GiB"),
        trial(4, [0.5]),
    ]
    first, second = failures(trials)
    assert first.reason == "out of memory: tried 2.31 GiB"
    assert [t.number for t in first.trials] == [1, 3]
    assert [t.number for t in second.trials] == [2]
