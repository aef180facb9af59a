"""Domains mean what Optuna's mean; what is drawn lies inside them and meets constraints and conditions."""

from __future__ import annotations

import itertools
import json
import math
import pickle
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import optuna
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestrator.mistake import Mistakes
from orchestrator.plain_data import canonical, config_key
from orchestrator.space.domain import range_mistakes
from orchestrator.space.expression import Expression
from orchestrator.space.search_space import (
    Categorical,
    Fixed,
    Float,
    Int,
    Parameter,
    SearchSpace,
    Unsatisfiable,
    as_fixed,
)
from orchestrator.space.space_parser import parse_space

# As people write them: up to six digits and up to six decimals.
NUMBERS = st.tuples(st.integers(-(10**6), 10**6), st.integers(0, 6)).map(lambda t: float(Decimal(t[0]).scaleb(-t[1])))
pytestmark = pytest.mark.filterwarnings("ignore:The distribution is specified by")  # Optuna lowers `high` aloud
WHOLE = st.integers(-1000, 1000)


def space_of(raw: dict[str, Any], *constraints: str) -> SearchSpace:
    mistakes = Mistakes()
    space = parse_space(raw, constraints, None, mistakes)
    assert [str(mistake) for mistake in mistakes] == []
    return space


def mistakes(raw: dict[str, Any], *constraints: str) -> list[str]:
    mistakes = Mistakes()
    parse_space(raw, constraints, None, mistakes)
    return [str(mistake) for mistake in mistakes]


# --- domains against Optuna's distributions


def optunas(domain: Float | Int) -> optuna.distributions.BaseDistribution:
    kind = optuna.distributions.FloatDistribution if isinstance(domain, Float) else optuna.distributions.IntDistribution
    return kind(domain.low, domain.high, log=domain.log, step=domain.step)


def refused_by_optuna(kind: type, low: float, high: float, log: bool, step: float | None) -> bool:
    try:
        kind(low, high, log=log, **({} if step is None else {"step": step}))
    except ValueError:
        return True
    return False


@settings(max_examples=200, deadline=None)
@given(NUMBERS, NUMBERS, st.booleans(), st.none() | NUMBERS)
def test_a_float_range_is_accepted_exactly_where_optuna_accepts_it(low, high, log, step):
    mistakes = range_mistakes(low, high, log, step)
    too_large = any("step <= high - low" in line for line in mistakes)  # ours alone: a grid of one value is a slip
    refused = refused_by_optuna(optuna.distributions.FloatDistribution, low, high, log, step)
    assert bool(mistakes) == (refused or too_large)


@settings(max_examples=200, deadline=None)
@given(WHOLE, WHOLE, st.booleans(), st.none() | st.integers(-5, 50))
def test_an_int_range_is_accepted_exactly_where_optuna_accepts_it(low, high, log, step):
    mistakes = range_mistakes(low, high, log, step, whole=True)
    stricter = any("step <= high - low" in line or "must not stand together" in line for line in mistakes)
    refused = refused_by_optuna(optuna.distributions.IntDistribution, low, high, log, step)
    assert bool(mistakes) == (refused or stricter)


@settings(max_examples=200, deadline=None)
@given(NUMBERS, NUMBERS, st.booleans(), st.none() | NUMBERS, st.randoms(use_true_random=False), NUMBERS)
def test_a_float_range_holds_the_values_that_optunas_holds(low, high, log, step, rng, other):
    assume(not range_mistakes(low, high, log, step))
    assume(step is None or high - low < 1e6 * step)  # beyond, Optuna's tolerance refuses its own grid
    domain = Float(low, high, log, step)
    theirs = optunas(domain)
    assert (theirs.low, theirs.high) == (domain.low, domain.high)
    for value in (domain.sample(rng), domain.low, domain.high, domain.middle):
        assert domain.contains(value) and theirs._contains(theirs.to_internal_repr(value))
    nearby = (other, low, high, domain.low - 1e-9, math.nextafter(domain.high, math.inf), (low + high) / 2)
    for value in nearby:
        assert domain.contains(value) == theirs._contains(value)


@settings(max_examples=200, deadline=None)
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
    assert all(abs(decades[decade] - 2000) < 200 for decade in (-5, -4, -3, -2))  # 5 standard deviations
    assert domain.middle == pytest.approx(1e-3)


def test_a_log_range_of_whole_numbers_is_drawn_as_optuna_draws_it():
    rng, domain = random.Random(0), Int(1, 100, log=True)
    ours = Counter(domain.sample(rng) for _ in range(20000))
    low, high = math.log(0.5), math.log(100.5)  # optuna/_transform.py: log of low - 0.5 to high + 0.5, rounded
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


# --- drawing, completing, checking


DOMAINS = st.one_of(
    st.tuples(st.integers(-9, 9), st.integers(1, 20), st.integers(1, 3)).map(
        lambda t: {"low": t[0], "high": t[0] + t[1] + t[2], "step": t[2]}
    ),
    st.tuples(st.floats(0.1, 1), st.floats(1, 10), st.booleans()).map(
        lambda t: {"low": t[0], "high": t[1], "log": t[2]}
    ),
    st.lists(st.sampled_from(["x", "y", "z", 1, 2, True, None]), min_size=1, max_size=4, unique_by=canonical),
    st.sampled_from(["fixed", 3, 0.5, {"value": [1, 2]}]),
)


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """Four names; a later one may depend on an earlier one by `when` or `by`."""
    raw: dict[str, Any] = {}
    discrete: dict[str, list[Any]] = {}
    for name in "abcd":
        domain = draw(DOMAINS)
        parents = sorted(discrete)
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            values = draw(st.lists(st.sampled_from(discrete[parent]), min_size=1, max_size=2))
            if draw(st.booleans()):
                key = canonical(values[0]).strip('"')
                raw[name] = {"by": parent, key: domain, "default": draw(DOMAINS)}
                continue
            as_mapping = {"choices": domain} if isinstance(domain, list) else domain
            as_mapping = as_mapping if isinstance(as_mapping, dict) else {"value": domain}
            raw[name] = {**as_mapping, "when": {parent: values}}
        else:
            raw[name] = domain
        if isinstance(domain, list):
            discrete[name] = domain
        elif isinstance(domain, dict) and isinstance(domain.get("low"), int):
            discrete[name] = list(range(domain["low"], domain["high"] + 1, domain["step"]))
    return space_of(raw)


@settings(max_examples=200, deadline=None)
@given(spaces(), st.integers(0, 2**32))
def test_what_is_drawn_is_contained_and_the_same_seed_draws_the_same(space, seed):
    config = space.sample(random.Random(seed))
    assert space.problems_of(config) == []
    assert config == space.sample(random.Random(seed))
    assert list(config) == [name for name in space.parameters if name in config]  # the order of the file
    assert space.problems_of(space.complete({}, random.Random(seed))) == []
    assert config.items() >= space.fixed.items()
    for name, parameter in space.parameters.items():  # by the words of the documentation, not by domain_in
        met = all(
            p in config and any(canonical(config[p]) == canonical(v) for v in vs) for p, vs in parameter.when.items()
        )
        there = met and (parameter.by is None or parameter.by.parent in config)
        assert (name in config) == there


@settings(max_examples=200, deadline=None)
@given(spaces(), st.integers(0, 2**32))
def test_a_completed_baseline_keeps_what_was_given(space, seed):
    drawn = space.sample(random.Random(seed))
    given_names = [name for index, name in enumerate(drawn) if (seed >> index) % 2]
    parents = {parent for name in given_names for parent in space.parameters[name].parents}
    partial = {name: drawn[name] for name in drawn if name in given_names or name in parents}
    completed = space.complete(partial, random.Random(0))
    if all(space.parameters[parent].parents == () for parent in parents):
        assert completed.items() >= partial.items() and space.contains(completed)


@settings(max_examples=100, deadline=None)
@given(spaces(), st.integers(0, 1000))
def test_a_config_survives_json_and_is_restored(space, seed):
    config = space.sample(random.Random(seed))
    kept = json.loads(json.dumps(config))
    assert config_key(kept) == config_key(config) and space.restore(kept) == config and space.contains(kept)
    assert pickle.loads(pickle.dumps(space)).sample(random.Random(seed)) == config


@settings(max_examples=150, deadline=None)
@given(spaces())
def test_the_size_is_the_number_of_distinct_configs(space):
    if space.size is None:
        assert not space.countable or any(isinstance(d, Float) for p in space.parameters.values() for d in p.domains)
        return
    keys = Counter(config_key(config) for config in itertools.islice(space.configs(), 30_000))
    if len(keys) < 30_000:
        assert len(keys) == space.size and set(keys.values()) == {1}
        assert all(config_key(space.sample(random.Random(seed))) in keys for seed in range(5))


def test_the_size_of_hand_made_spaces():
    assert space_of({"a": [1, 2, 3], "b": {"low": 0, "high": 9}}).size == 30
    assert space_of({"a": [1, 2, 3], "b": {"low": 0.0, "high": 9.0}}).size is None
    assert space_of({"a": 1, "b": {"value": [1, 2]}}).size == 1
    assert space_of({}).size == 1
    assert space_of({"a": ["x", "y"], "b": {"low": 0, "high": 9, "when": {"a": "x"}}}).size == 11
    assert space_of({"a": ["x", "y"], "b": {"by": "a", "x": [1, 2], "y": 7}}).size == 3
    assert space_of({"a": {"low": 1, "high": 4}, "b": {"low": 1, "high": 4}}, "a < b").size == 6
    assert space_of({"a": "x", "b": {"low": 0.0, "high": 1.0, "when": {"a": "y"}}}).size == 1  # never there
    assert space_of({"a": {"low": 1, "high": 2**40}, "b": {"low": 1, "high": 2**40}}).size == 2**80
    assert space_of({"a": {"low": 1, "high": 2**40}, "b": {"low": 1, "high": 9}}, "b < a").size is None


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from(["lr * b <= 0.05", "lr < 0.01 or b == 4", "1 <= b * 2 <= 16 and lr != b"])
)
def test_what_is_drawn_meets_the_constraints(seed, constraint):
    space = space_of({"lr": {"low": 1e-4, "high": 1e-1, "log": True}, "b": {"low": 1, "high": 16}}, constraint)
    config = space.sample(random.Random(seed))
    assert eval(constraint, {}, config) and space.contains(config)


def test_a_small_space_is_listed_where_drawing_finds_nothing():
    space = space_of({"a": {"low": 0, "high": 99}, "b": {"low": 0, "high": 99}}, "a + b == 198")
    assert space.size == 1
    assert space.sample(random.Random(0)) == {"a": 99, "b": 99}


def test_what_no_config_meets_says_so_when_drawn():
    space = SearchSpace({"a": Parameter("a", Float(0, 1))}, (Expression.parse("a > 2"),))
    with pytest.raises(Unsatisfiable, match="none of 200000 drawn configs meets `a > 2`; widen"):
        space.sample(random.Random(0))


def test_a_baseline_takes_defaults_then_middles_and_breaks_no_constraint():
    parameters = {
        "lr": Parameter("lr", Float(1e-5, 1e-1, log=True)),
        "b": Parameter("b", Int(4, 16, step=4), default=Fixed(8)),
        "wide": Parameter("wide", Float(0, 10), default=Fixed(99.0)),
        "kind": Parameter("kind", Categorical(("x", "y"))),
        "only_y": Parameter("only_y", Int(1, 9), {"kind": ("y",)}),
    }
    space = SearchSpace(parameters)
    expected = {"lr": pytest.approx(1e-3), "b": 8, "wide": 5.0, "kind": "x"}
    assert space.complete({}, random.Random(0)) == expected
    assert space.complete({"kind": "y"}, random.Random(0)) == expected | {"kind": "y", "only_y": 5}
    tight = SearchSpace(parameters, (Expression.parse("lr * b < 1e-3"),))
    completed = tight.complete({"lr": 1e-4}, random.Random(0))
    assert completed["lr"] == 1e-4 and completed["lr"] * completed["b"] < 1e-3


def test_what_is_wrong_with_a_config_is_said_all_at_once():
    space = space_of(
        {
            "kind": ["x", "y"],
            "b": {"low": 4, "high": 16, "step": 4},
            "only_y": {"low": 1, "high": 9, "when": {"kind": "y"}},
        },
        "b < 16",
    )
    assert [str(mistake) for mistake in space.problems_of({"kind": "x", "b": 5, "only_y": 3, "c": 1})] == [
        "unknown name `c`; known are: kind, b, only_y",
        "b: must be a whole number from 4 to 16 in steps of 4, but got 5",
        "only_y: must be absent, because it needs `kind` to be one of 'y', and that is 'x'; remove it",
    ]
    assert [str(mistake) for mistake in space.problems_of({"kind": "y", "b": 8})] == [
        "only_y: must be given, as a whole number from 1 to 9"
    ]
    assert [str(mistake) for mistake in space.problems_of({"kind": "x", "b": 16})] == [
        "constraints[0]: `b < 16` must hold, but got b=16"
    ]


def test_fixed_and_searched_names_follow_the_fixed_parents():
    space = space_of(
        {
            "backbone": "hrnet_w44",
            "lr": {"low": 0.1, "high": 1.0},
            "decay": {"by": "backbone", "hrnet_w44": 0.5, "default": {"low": 0.0, "high": 1.0}},
            "drop": {"low": 0.0, "high": 0.3, "when": {"backbone": ["convnext_tiny"]}},
            "rest": {"low": 0, "high": 3, "when": {"backbone": "hrnet_w44"}},
        }
    )
    assert space.fixed == {"backbone": "hrnet_w44", "decay": 0.5}
    assert space.searched == ["lr", "rest"]


def test_keys_of_configs_are_equal_exactly_for_equal_configs():
    assert config_key({"a": 1, "b": [1.0, {2: 3}]}) == config_key({"b": [1, {"2": 3.0}], "a": 1.0})
    different = [{"a": 1}, {"a": True}, {"a": "1"}, {"a": None}, {"a": 1.5}, {"b": 1}, {}, {"a": [1]}]
    assert len({config_key(config) for config in different}) == len(different)


@pytest.mark.parametrize("value", [3, 0.1, "x", None, True, [1, 2], {"1": 640}, {"low": 1, "high": 2}])
def test_a_value_written_as_fixed_is_read_as_fixed(value):
    assert space_of({"a": as_fixed(value)}).restore({"a": json.loads(json.dumps(value))}) == space_of(
        {"a": as_fixed(value)}
    ).sample(random.Random(0))
    assert isinstance(space_of({"a": as_fixed(value)}).parameters["a"].domain, Fixed)


# --- reading `space` without a schema


@pytest.mark.parametrize(
    ("raw", "domain"),
    [
        (3, Fixed(3)),
        (None, Fixed(None)),
        (["a", None, 1], Categorical(("a", None, 1))),
        ({"low": 0, "high": 3}, Int(0, 3)),
        ({"low": 0.0, "high": 3.0}, Float(0, 3)),
        ({"low": 0, "high": 1, "step": 0.25}, Float(0, 1, step=0.25)),
        ({"low": 1, "high": 1000, "log": True}, Int(1, 1000, log=True)),
        ({"low": 4, "high": 17, "step": 4}, Int(4, 16, step=4)),
        ({"low": 1, "high": 2.5, "step": None}, Float(1, 2.5)),
        ({"value": {"1": 640, "5": 960}}, Fixed({1: 640, 5: 960})),
        ({"value": [1, 2]}, Fixed([1, 2])),
        ({"choices": [1, 2]}, Categorical((1, 2))),
        ({"value": {"²": 1, "-7": 2, "007": 3, "٣": 4}}, Fixed({"²": 1, -7: 2, "007": 3, "٣": 4})),
        ([[1, 2], {"1": 3}], Categorical(([1, 2], {1: 3}))),
    ],
)
def test_each_form_of_a_domain_is_read(raw, domain):
    assert space_of({"a": raw}).parameters["a"].domain == domain


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"low": 1, "hi": 2}, "space.a: unknown field `hi`, did you mean `high`?"),
        ({"lwo": 1, "hgih": 2}, "space.a: unknown field `lwo`, did you mean `low`?"),
        ({"low": 1}, "space.a: `high` must be given beside `low`; add it"),
        ({"low": 2, "high": 1}, "space.a: `low <= high` must hold, but got low=2, high=1; swap them"),
        ({"low": 0.0, "high": 1.0, "log": True}, "space.a: `low > 0` must hold with `log: true`, but got low=0.0"),
        ({"low": 0, "high": 9, "log": True}, "space.a: `low >= 1` must hold with `log: true`, but got low=0"),
        ({"low": 1.0, "high": 2.0, "log": True, "step": 0.1}, "space.a: `log` and `step` must not stand together"),
        ({"low": 1, "high": 9, "step": 0}, "space.a: `step > 0` must hold, but got step=0"),
        ({"low": 1, "high": 9, "step": -1}, "space.a: `step > 0` must hold, but got step=-1"),
        ({"low": 1, "high": 9, "step": 10}, "space.a: `step <= high - low` must hold, but got low=1, high=9, step=10"),
        ({"low": math.nan, "high": 1}, "space.a.low: must be a finite number, but got NaN"),
        ({"low": 0, "high": math.inf}, "space.a.high: must be a finite number, but got Infinity"),
        ({"low": True, "high": 3}, "space.a.low: must be a whole number, but got true"),
        ({"low": "1e-5x", "high": 3}, "space.a.low: must be a finite number, but got '1e-5x'"),
        ({"low": "1e-5", "high": 3}, "space.a.low: must be a finite number, but got '1e-5'; write it without quotes"),
        ({"low": 1, "high": 3, "log": "yes"}, "space.a.log: must be true or false, but got 'yes'"),
        ({"low": 1, "high": 10**400}, "space.a.high: must be a whole number, but got"),
        ({"low": 0, "high": 2**60}, "space.a: `high` must be at most 9007199254740992 in size"),
        ({"low": 0.0, "high": 1e300, "step": 1e-300}, "space.a: a range must have at most 9007199254740992 steps"),
        ([], "space.a: must be a list of at least one choice, but got []"),
        ({"choices": 3}, "space.a.choices: must be a list of at least one choice, but got 3"),
        (["x", "y", "x"], "space.a[2]: each choice must stand once, but 'x' stands twice; remove one"),
        ([1, 1.0], "space.a[1]: each choice must stand once, but 1.0 stands twice"),
        ([1, math.nan], "space.a[1]: must be a finite number, but got NaN"),
        ({"value": [1, [math.inf]]}, "space.a.value: must be a finite number, but got Infinity"),
        (
            {"1": 640, "5": 960},
            'space.a: must be a domain, but got {"1": 640, "5": 960}; to fix a mapping, write {value:',
        ),
        ({}, "space.a: must be a domain, but got {}; write a value, a list of choices"),
        ({"when": {"b": 1}}, "space.a: must hold a domain beside `when`, but got none"),
        ({"value": 1, "when": "b"}, "space.a.when: must be a mapping such as `when: {backbone: [resnet18, resnet34]}`"),
        ({"by": "b"}, "space.a: must hold a domain for each value of the name in `by`, or a `default`, but got none"),
        ({"by": 3, "x": 1}, "space.a.by: must be the name whose value decides, but got 3"),
        ({"value": 1, "low": 2}, "space.a: unknown field `low`"),
    ],
)
def test_a_mistake_in_a_domain_is_said_with_its_place(raw, said):
    found = mistakes({"a": raw})
    assert any(line.startswith(said) for line in found), found


def test_every_mistake_of_a_range_is_said_at_once():
    assert (
        len(
            mistakes(
                {"a": {"low": 2.0, "high": -1.0, "log": True, "step": -1, "lgo": 1}, "b": [], "c": {"value": math.nan}}
            )
        )
        == 6
    )


PARENTS = {"kind": ["x", "y"], "n": {"low": 1, "high": 4}, "real": {"low": 0.0, "high": 1.0}, "fixed": "f"}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (
            {"value": 1, "when": {"knd": "x"}},
            "space.a.when: must be about a name of `space`, but got `knd`, did you mean `kind`?",
        ),
        (
            {"value": 1, "when": {"later": 1}},
            "space.a.when: must be about an earlier name, but `later` comes later; move",
        ),
        ({"value": 1, "when": {"a": 1}}, "space.a.when: must not depend on itself, but `a` needs `a`; break the cycle"),
        (
            {"value": 1, "when": {"kind": "z"}},
            "space.a.when.kind: must be a value of `kind`, one of 'x', 'y', but got 'z'",
        ),
        (
            {"value": 1, "when": {"n": [1, 9]}},
            "space.a.when.n: must be a value of `n`, a whole number from 1 to 4, but got 9",
        ),
        (
            {"value": 1, "when": {"real": 0.5}},
            "space.a.when.real: must be about choices, whole numbers or a fixed value",
        ),
        ({"value": 1, "when": {"kind": []}}, "space.a.when.kind: must list at least one value, but got []"),
        ({"by": "knd", "x": 1}, "space.a.by: must be about a name of `space`, but got `knd`, did you mean `kind`?"),
        ({"by": "kind", "x": 1}, "space.a: must hold a domain for each value of `kind`, but 'y' has none; add it, or"),
        ({"by": "kind", "x": 1, "z": 2}, "space.a.z: must be a value of `kind`, one of 'x', 'y', but got 'z'"),
        (
            {"by": "kind", "low": 1, "high": 2},
            "space.a: `low` must stand below a value of `kind`, but stands beside `by`",
        ),
        ({"by": "fixed", "g": 1}, "space.a: must hold a domain for each value of `fixed`, but 'f' has none"),
        ({"by": "real", "default": 1}, "space.a.by: must be about choices, whole numbers or a fixed value"),
        ({"by": "kind", "x": {"low": 2, "high": 1}, "y": 1}, "space.a.x: `low <= high` must hold"),
        ({"by": "kind", "x": {"by": "n", "default": 1}, "y": 1}, "space.a.x: must hold no `by` or `when` of its own"),
        (
            {"by": "kind", "x": {"value": 1, "when": {"n": 1}}, "y": 1},
            "space.a.x: must hold no `by` or `when` of its own",
        ),
    ],
)
def test_a_mistake_in_a_condition_is_said_with_its_place(raw, said):
    found = mistakes({**PARENTS, "a": raw, "later": [1, 2]})
    assert len(found) >= 1 and any(line.startswith(said) for line in found), found


def test_a_cycle_is_said_once_with_its_way_around():
    raw = {
        "a": {"value": 1, "when": {"c": 1}},
        "b": {"value": 1, "when": {"a": 1}},
        "c": {"by": "b", "default": 1},
    }
    assert mistakes(raw) == [
        "space.a.when: must not depend on itself, but `a` needs `c` needs `b` needs `a`; break the cycle"
    ]


def test_a_condition_on_a_fixed_name_may_name_other_values():
    space = space_of({"net": "small", "drop": {"low": 0.0, "high": 0.5, "when": {"net": ["large"]}}})
    assert space.sample(random.Random(0)) == {"net": "small"} and space.searched == []


def test_values_of_any_kind_choose_a_domain():
    raw = {"k": [1, 0.5, True, None, "s"], "a": {"by": "k", "1": 10, "0.5": 11, "true": 12, "null": 13, "s": 14}}
    space = space_of(raw)
    assert {canonical(c["k"]): c["a"] for c in space.configs()} == {
        "1": 10,
        "0.5": 11,
        "true": 12,
        "null": 13,
        '"s"': 14,
    }


@pytest.mark.parametrize("name", ["a b", "1a", "a-b", "", "a.b", "name", "true", "null", "a\nb"])
def test_a_name_must_be_one_that_a_constraint_can_speak_about(name):
    assert len(mistakes({name: 1})) == 1


@pytest.mark.parametrize(
    ("constraint", "said"),
    [
        ("lr * bs < 1", "constraints[0]: must be about names of `space`, but got `bs`"),
        ("lrr < 1", "constraints[0]: must be about names of `space`, but got `lrr`, did you mean `lr`?"),
        ("lr <", "constraints[0]: syntax error at the end of 'lr <'"),
        ("lr + 1", "constraints[0]: must be a comparison"),
        (3, "constraints[0]: must be text such as `lr * batch_size <= 8e-3`, but got 3"),
        ("lr > 1", "constraints[0]: some config must meet it, but none of 10000 drawn configs meets `lr > 1`; widen"),
        ("n < 0", "constraints[0]: some config must meet it, but none of 10000 drawn configs meets `n < 0`"),
        ("kind < 3", "constraints[0]: cannot be computed for kind='"),
    ],
)
def test_a_constraint_that_cannot_be_kept_is_said(constraint, said):
    raw = {"lr": {"low": 0.0, "high": 1.0}, "n": {"low": 1, "high": 4}, "kind": ["x", "y"]}
    found = mistakes(raw, constraint)
    assert len(found) == 1 and found[0].startswith(said), found


def test_constraints_that_exclude_each_other_are_said_together():
    found = mistakes({"a": {"low": 1, "high": 9}}, "a < 3", "a > 5")
    assert found == [
        "constraints: some config must meet them all, but none of the 9 configs meets `a < 3` and `a > 5`; "
        "loosen one of them"
    ]
    assert mistakes({"a": 3}, "a < 3") == ["constraints[0]: `a < 3` must hold, but got a=3"]
