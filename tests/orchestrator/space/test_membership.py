"""Checks which configs of another space belong to this one, and how they are translated."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.space.config_field import defaults_of
from orchestrator.space.membership import NotInSpace, as_config_of, limit_of
from tests.harness.parsed_space import space_of
from trainables import load_trainable

DEFAULTS = {"lr": 0.01, "momentum": 0.9, "epochs": 9, "backbone": "r18", "drop": 0.0}


LR = {"low": 1e-4, "high": 1e-1, "log": True}


def test_a_config_of_the_same_space_stays_as_it_is():
    assert as_config_of(space_of({"lr": LR, "epochs": 9}), {"lr": 0.02, "epochs": 9}, {}) == {"lr": 0.02, "epochs": 9}


@pytest.mark.parametrize(
    "raw, config, why",
    [
        ({"lr": {"low": 0.05, "high": 0.1}}, {"lr": 0.02}, "`lr` must be a number from 0.05 to 0.1, but is 0.02"),
        ({"lr": 0.01}, {"lr": 0.02}, "`lr` must be 0.01, but is 0.02"),
        ({"backbone": ["r34", "r50"], "lr": LR}, {"lr": 0.02, "backbone": "r18"}, "`backbone` must be"),
        (
            {"lr": LR, "momentum": {"low": 0.95, "high": 0.99}},
            {"lr": 0.02},
            "but is 0.9, what the trainable took by itself",
        ),
        ({"lr": LR, "width": {"low": 1, "high": 9}}, {"lr": 0.02}, "`width` must be .* but was not given"),
        (
            {"lr": LR},
            {"lr": 0.02, "momentum": 0.8},
            "`momentum` must be 0.9, the trainable's own value, because `space` names it no more, but is 0.8",
        ),
        ({"lr": LR}, {"lr": 0.02, "width": 3}, "`width` must be absent, because `space` names it no more, but is 3"),
        (
            {"backbone": ["r18", "r34"], "drop": {"low": 0.1, "high": 0.3, "when": {"backbone": "r34"}}},
            {"backbone": "r18", "drop": 0.2},
            "`drop` must be 0.0, the trainable's own value, because it needs `backbone` to be",
        ),
    ],
)
def test_a_config_outside_is_refused_with_its_reason(raw: dict[str, Any], config: dict[str, Any], why: str):
    with pytest.raises(NotInSpace, match=why):
        as_config_of(space_of(raw), config, DEFAULTS)


def test_a_new_constraint_leaves_out_what_breaks_it():
    space = space_of({"lr": LR, "batch": [4, 8]}, "lr * batch <= 0.1")
    assert as_config_of(space, {"lr": 0.01, "batch": 8}, {}) == {"lr": 0.01, "batch": 8}
    with pytest.raises(NotInSpace, match=r"`lr \* batch <= 0.1` must hold, but got"):
        as_config_of(space, {"lr": 0.02, "batch": 8}, {})


def test_a_name_that_one_space_alone_has_is_no_difference_at_the_trainables_default():
    wide = space_of({"lr": LR, "momentum": {"low": 0.8, "high": 0.95}})
    assert as_config_of(wide, {"lr": 0.02}, DEFAULTS) == {"lr": 0.02, "momentum": 0.9}
    assert as_config_of(space_of({"lr": LR}), {"lr": 0.02, "momentum": 0.9}, DEFAULTS) == {"lr": 0.02}


def test_a_condition_that_came_or_went_is_judged_by_the_default():
    conditional = space_of({"backbone": ["r18", "r34"], "drop": {"low": 0.1, "high": 0.3, "when": {"backbone": "r34"}}})
    free = space_of({"backbone": ["r18", "r34"], "drop": {"low": 0.0, "high": 0.3}})
    assert as_config_of(conditional, {"backbone": "r18", "drop": 0.0}, DEFAULTS) == {"backbone": "r18"}
    assert as_config_of(free, {"backbone": "r18"}, DEFAULTS) == {"backbone": "r18", "drop": 0.0}


def test_fewer_epochs_than_the_limit_are_no_difference_and_more_are():
    for raw in ({"lr": LR, "epochs": 20}, {"lr": LR}):
        defaults = DEFAULTS | {"epochs": 20}
        assert as_config_of(space_of(raw), {"lr": 0.02, "epochs": 9}, defaults).get("epochs", 20) == 20
        with pytest.raises(NotInSpace):
            as_config_of(space_of(raw), {"lr": 0.02, "epochs": 21}, defaults)


def test_searched_epochs_are_a_value_like_any_other():
    space = space_of({"lr": LR, "epochs": {"low": 10, "high": 20}})
    with pytest.raises(NotInSpace, match="`epochs` must be a whole number from 10 to 20, but is 9"):
        as_config_of(space, {"lr": 0.02, "epochs": 9}, DEFAULTS)
    assert limit_of(space, DEFAULTS) is None


def test_the_limit_is_the_spaces_fixed_number_else_the_trainables_own():
    assert limit_of(space_of({"lr": LR, "epochs": 20}), DEFAULTS) == 20
    assert limit_of(space_of({"lr": LR}), DEFAULTS) == 9
    assert limit_of(space_of({"lr": LR}), {}) is None


def test_what_was_kept_as_json_reads_as_the_space_has_it():
    space = space_of({"resolution": {"value": {1: 320, 5: 640}}, "lr": LR})
    assert as_config_of(space, {"resolution": {"1": 320, "5": 640}, "lr": 0.02}, {})["resolution"] == {1: 320, 5: 640}


def test_the_defaults_are_those_of_the_trainables_config():
    assert defaults_of(load_trainable("tests.toy"))["epochs"] == 9


@given(st.integers(0, 10_000))
def test_every_draw_of_a_space_is_a_config_of_it(seed: int):
    space = space_of(
        {
            "backbone": ["r18", "r34"],
            "lr": {"by": "backbone", "r18": LR, "default": {"low": 0.5, "high": 0.9}},
            "drop": {"low": 0.1, "high": 0.3, "when": {"backbone": "r34"}},
            "epochs": {"low": 1, "high": 9},
        },
        "lr * epochs < 6",
    )
    config = space.sample(random.Random(seed))
    assert as_config_of(space, config, DEFAULTS) == config
