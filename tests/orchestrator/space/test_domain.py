"""Checks that a domain holds, draws and refuses the values that Optuna's distribution of the same range does."""

from __future__ import annotations

import math
import random
from collections import Counter
from decimal import Decimal

import optuna
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestrator.space.domain import Categorical, Fixed, Float, Int, range_mistakes

# People write numbers of up to six digits with up to six decimals.
NUMBERS = st.tuples(st.integers(-(10**6), 10**6), st.integers(0, 6)).map(lambda t: float(Decimal(t[0]).scaleb(-t[1])))
pytestmark = pytest.mark.filterwarnings(
    "ignore:The distribution is specified by"
)  # Optuna warns where it lowers `high`.
WHOLE = st.integers(-1000, 1000)


def optunas(domain: Float | Int) -> optuna.distributions.BaseDistribution:
    kind = optuna.distributions.FloatDistribution if isinstance(domain, Float) else optuna.distributions.IntDistribution
    return kind(domain.low, domain.high, log=domain.log, step=domain.step)


def refused_by_optuna(kind: type, low: float, high: float, log: bool, step: float | None) -> bool:
    try:
        kind(low, high, log=log, **({} if step is None else {"step": step}))
    except ValueError:
        return True
    return False


@settings(max_examples=200)
@given(NUMBERS, NUMBERS, st.booleans(), st.none() | NUMBERS)
def test_a_float_range_is_accepted_exactly_where_optuna_accepts_it(low, high, log, step):
    mistakes = range_mistakes(low, high, log, step)
    too_large = any("step <= high - low" in line for line in mistakes)  # Optuna accepts a grid of a single value.
    refused = refused_by_optuna(optuna.distributions.FloatDistribution, low, high, log, step)
    assert bool(mistakes) == (refused or too_large)


@settings(max_examples=200)
@given(WHOLE, WHOLE, st.booleans(), st.none() | st.integers(-5, 50))
def test_an_int_range_is_accepted_exactly_where_optuna_accepts_it(low, high, log, step):
    mistakes = range_mistakes(low, high, log, step, whole=True)
    stricter = any("step <= high - low" in line or "must not stand together" in line for line in mistakes)
    refused = refused_by_optuna(optuna.distributions.IntDistribution, low, high, log, step)
    assert bool(mistakes) == (refused or stricter)


@settings(max_examples=200)
@given(NUMBERS, NUMBERS, st.booleans(), st.none() | NUMBERS, st.randoms(use_true_random=False), NUMBERS)
def test_a_float_range_holds_the_values_that_optunas_holds(low, high, log, step, rng, other):
    assume(not range_mistakes(low, high, log, step))
    assume(
        step is None or high - low < 1e6 * step
    )  # On a finer grid Optuna's tolerance refuses some of the grid's own values.
    domain = Float(low, high, log, step)
    theirs = optunas(domain)
    assert (theirs.low, theirs.high) == (domain.low, domain.high)
    for value in (domain.sample(rng), domain.low, domain.high, domain.middle):
        assert domain.contains(value) and theirs._contains(theirs.to_internal_repr(value))
    nearby = (other, low, high, domain.low - 1e-9, math.nextafter(domain.high, math.inf), (low + high) / 2)
    for value in nearby:
        assert domain.contains(value) == theirs._contains(value)


@settings(max_examples=200)
@given(WHOLE, WHOLE, st.booleans(), st.integers(1, 50), st.randoms(use_true_random=False), WHOLE)
def test_an_int_range_holds_the_values_that_optunas_holds(low, high, log, step, rng, other):
    step = 1 if log else step
    assume(not range_mistakes(low, high, log, None if step == 1 else step, whole=True))
    domain = Int(low, high, log, step)
    theirs = optunas(domain)
    assert (theirs.low, theirs.high) == (domain.low, domain.high)
    for value in (domain.sample(rng), domain.low, domain.high, domain.middle):
        assert type(value) is int and domain.contains(value) and theirs._contains(value)
    assert domain.contains(other) == theirs._contains(other)
    assert list(domain.values()) == [v for v in range(low, high + 1) if theirs._contains(v)]
    assert domain.size == len(list(domain.values()))


@pytest.mark.parametrize(
    ("low", "high", "step"), [(0.0, 1.0, 0.1), (0.1, 0.5, 0.2), (1e-4, 1e-3, 1e-4), (-0.3, 0.3, 0.15), (0, 1, 0.3)]
)
def test_float_steps_are_the_clean_decimals_that_optunas_grid_sampler_draws(low, high, step):
    domain = Float(low, high, step=step)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = {study.ask().suggest_float("x", low, high, step=step) for _ in range(300)}
    ours = list(domain.values())
    assert ours == pytest.approx(sorted(drawn), abs=1e-12)
    assert {domain.sample(random.Random(i)) for i in range(300)} == set(ours)
    for k, value in enumerate(ours):
        assert Decimal(repr(value)) == Decimal(str(low)) + k * Decimal(str(step))


def test_a_grid_of_many_millions_holds_its_own_values():
    domain = Float(-672.0, -0.1, step=1e-5)
    rng = random.Random(0)
    assert all(domain.contains(value) for value in (domain.low, domain.high, *(domain.sample(rng) for _ in range(99))))
    assert not domain.contains(-0.100005)


def test_a_log_range_is_drawn_evenly_by_order_of_magnitude():
    rng = random.Random(0)
    domain = Float(1e-5, 1e-1, log=True)
    decades = Counter(math.floor(math.log10(domain.sample(rng))) for _ in range(8000))
    assert all(abs(decades[decade] - 2000) < 200 for decade in (-5, -4, -3, -2))  # These are 5 standard deviations.
    assert domain.middle == pytest.approx(1e-3)


def test_a_log_range_of_whole_numbers_is_drawn_as_optuna_draws_it():
    rng, domain = random.Random(0), Int(1, 100, log=True)
    ours = Counter(domain.sample(rng) for _ in range(20000))
    low, high = math.log(0.5), math.log(100.5)  # optuna/_transform.py draws the logarithm from here, and rounds.
    for value in (1, 2, 10, 100):
        share = (math.log(value + 0.5) - math.log(value - 0.5)) / (high - low)
        assert ours[value] / 20000 == pytest.approx(share, abs=5 * math.sqrt(share / 20000))
    assert set(ours) <= set(range(1, 101))


def test_ranges_at_the_ends_of_floats_stay_inside():
    for domain in (
        Float(-1.7e308, 1.7e308),
        Float(5e-324, 1e-300, log=True),
        Float(3.0, 3.0),
        Float(1e-5, 1e-5, log=True),
    ):
        assert all(domain.contains(domain.sample(random.Random(i))) for i in range(50))


def test_true_is_neither_the_number_one_nor_the_choice_one():
    assert not Int(0, 3).contains(True) and not Float(0, 3).contains(True)
    assert not Categorical((1, 2)).contains(True) and not Fixed(1).contains(True)
    assert Categorical((True, 1)).contains(1) and Fixed(1).contains(1.0)
