"""Checks what `space` and `constraints` are read as, and what is reported where they are wrong."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from orchestrator.mistake import Mistakes
from orchestrator.plain_data import canonical
from orchestrator.space.domain import Categorical, Fixed, Float, Int
from orchestrator.space.space_parser import parse_space
from tests.harness.parsed_space import space_of


def mistakes(raw: dict[str, Any], *constraints: str) -> list[str]:
    found = Mistakes()
    parse_space(raw, constraints, None, found)
    return [str(mistake) for mistake in found]


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
