"""Checks that configs that are drawn or completed lie in the space and meet its constraints and conditions."""

from __future__ import annotations

import itertools
import json
import pickle
import random
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.plain_data import canonical, config_key
from orchestrator.space.domain import Categorical, Fixed, Float, Int
from orchestrator.space.expression import Expression
from orchestrator.space.membership import NotInSpace, as_config_of
from orchestrator.space.search_space import Parameter, SearchSpace, Unsatisfiable, as_fixed
from tests.harness.parsed_space import space_of

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
    """Draws spaces of four names, in which a later one may depend on an earlier one through `when` or `by`."""
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


@settings(max_examples=200)
@given(spaces(), st.integers(0, 2**32))
def test_what_is_drawn_is_contained_and_the_same_seed_draws_the_same(space, seed):
    config = space.sample(random.Random(seed))
    assert as_config_of(space, config, {}) == config
    assert config == space.sample(random.Random(seed))
    assert list(config) == [
        name for name in space.parameters if name in config
    ]  # The names stand in the order of the file.
    completed = space.complete({}, random.Random(seed))
    assert as_config_of(space, completed, {}) == completed
    assert config.items() >= space.fixed.items()
    for name, parameter in space.parameters.items():  # This follows the documentation, not domain_in.
        met = all(
            p in config and any(canonical(config[p]) == canonical(v) for v in vs) for p, vs in parameter.when.items()
        )
        there = met and (parameter.by is None or parameter.by.parent in config)
        assert (name in config) == there


@settings(max_examples=200)
@given(spaces(), st.integers(0, 2**32))
def test_a_completed_baseline_keeps_what_was_given(space, seed):
    drawn = space.sample(random.Random(seed))
    given_names = [name for index, name in enumerate(drawn) if (seed >> index) % 2]
    parents = {parent for name in given_names for parent in space.parameters[name].parents}
    partial = {name: drawn[name] for name in drawn if name in given_names or name in parents}
    completed = space.complete(partial, random.Random(0))
    if all(space.parameters[parent].parents == () for parent in parents):
        assert completed.items() >= partial.items() and as_config_of(space, completed, {}) == completed


@settings(max_examples=100)
@given(spaces(), st.integers(0, 1000))
def test_a_config_survives_json_and_is_restored(space, seed):
    config = space.sample(random.Random(seed))
    kept = json.loads(json.dumps(config))
    assert config_key(kept) == config_key(config) and space.restore(kept) == config
    assert as_config_of(space, kept, {}) == config
    assert pickle.loads(pickle.dumps(space)).sample(random.Random(seed)) == config


@settings(max_examples=150)
@given(spaces())
def test_the_size_is_the_number_of_distinct_configs(space):
    if space.size is None:
        assert not space.listable or any(isinstance(d, Float) for p in space.parameters.values() for d in p.domains)
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
    assert (
        space_of({"a": "x", "b": {"low": 0.0, "high": 1.0, "when": {"a": "y"}}}).size == 1
    )  # `b` is never in a config.
    assert space_of({"a": {"low": 1, "high": 2**40}, "b": {"low": 1, "high": 2**40}}).size == 2**80
    assert space_of({"a": {"low": 1, "high": 2**40}, "b": {"low": 1, "high": 9}}, "b < a").size is None


@settings(max_examples=100)
@given(
    st.integers(0, 10**6), st.sampled_from(["lr * b <= 0.05", "lr < 0.01 or b == 4", "1 <= b * 2 <= 16 and lr != b"])
)
def test_what_is_drawn_meets_the_constraints(seed, constraint):
    space = space_of({"lr": {"low": 1e-4, "high": 1e-1, "log": True}, "b": {"low": 1, "high": 16}}, constraint)
    config = space.sample(random.Random(seed))
    assert eval(constraint, {}, config) and as_config_of(space, config, {}) == config


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


def test_constraints_and_steps_share_one_arithmetic():
    grid = {"low": 0.1, "high": 0.3, "step": 0.1}
    space = space_of({"a": grid, "b": grid}, "a + b <= 0.3")
    assert space.size == 3
    assert [(config["a"], config["b"]) for config in space.configs()] == [(0.1, 0.1), (0.1, 0.2), (0.2, 0.1)]
    thirds = {"low": 0.0, "high": 1.2, "step": 0.4}
    assert space_of({"a": thirds, "b": thirds}, "a - b == 0.4").size == 3


def test_a_choice_among_twenty_thousand_is_read_drawn_and_found_in_a_moment():
    values = [round(i * 1e-5, 5) for i in range(10_000)] + [f"net_{i}" for i in range(10_000)]
    raw = {"a": values, "b": {"low": 0.0, "high": 1.0, "when": {"a": values[:5000]}}}
    start = time.process_time()
    space = space_of(raw, "b <= 0.9")
    configs = [space.sample(random.Random(seed)) for seed in range(300)]
    assert all(as_config_of(space, config, {}) == config for config in configs)
    assert space.restore({"a": 1}) == {"a": 1}
    assert time.process_time() - start < 3.0  # a list that is walked through for each of its values takes minutes
    with pytest.raises(NotInSpace) as caught:
        as_config_of(space, {"a": "net_x"}, {})
    assert len(str(caught.value)) < 500 and "(20000 in all)" in str(caught.value)
