"""Domains in the words of other tools are answered by what they mean."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.mistake import Mistakes, did_you_mean
from orchestrator.space.other_words import in_our_words
from orchestrator.space.space_parser import parse_space


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"values": ["adam", "sgd"]}, "choices: [adam, sgd]"),  # W&B
        ({"values": ["no", "1e3", "a b"]}, 'choices: [no, "1e3", "a b"]'),
        ({"values": [1, 2.5, None, True]}, "choices: [1, 2.5, null, true]"),
        ({"values": [1, 2], "probabilities": [0.9, 0.1]}, "choices: [1, 2] (all of them equally often)"),
        ({"min": 0, "max": 0.6}, "low: 0, high: 0.6"),
        ({"distribution": "log_uniform_values", "min": 1e-4, "max": 0.1}, "low: 0.0001, high: 0.1, log: true"),
        ({"distribution": "log_uniform", "min": -9.21034, "max": 0}, "low: 0.0001, high: 1.0, log: true"),  # exponents
        ({"distribution": "q_uniform", "q": 4, "min": 4, "max": 16}, "low: 4, high: 16, step: 4"),
        ({"distribution": "normal", "mu": 1.0, "sigma": 0.25}, "low: 0.5, high: 1.5"),
        ({"distribution": "constant", "value": 3}, "value: 3"),
        ({"type": "float", "low": 1e-4, "high": 0.1, "log": True}, "low: 0.0001, high: 0.1, log: true"),  # Optuna
        ({"type": "categorical", "choices": ["a", "b"]}, None),
        ({"_type": "choice", "_value": [16, 32]}, "choices: [16, 32]"),  # NNI
        ({"_type": "loguniform", "_value": [1e-4, 0.1]}, "low: 0.0001, high: 0.1, log: true"),
        ({"grid_search": [1, 2]}, "choices: [1, 2]"),  # Ray Tune
        ({"quniform": [0.0, 1.0, 0.25]}, "low: 0.0, high: 1.0, step: 0.25"),
        ({"randint": [1, 5]}, "low: 1, high: 4"),  # Its upper end is never drawn,
        ({"lograndint": [1, 101]}, "low: 1, high: 100, log: true"),
        ({"qrandint": [2, 10, 2]}, "low: 2, high: 10, step: 2"),  # but with a step it is.
        ({"qlograndint": [2, 10, 2]}, "low: 2, high: 10, log: true"),
        ({"_type": "randint", "_value": [0, 8]}, "low: 0, high: 7"),  # NNI, whose upper end is left out too
        ({"distribution": "int_uniform", "min": 0, "max": 8}, "low: 0, high: 8"),
        ({"type": "range", "bounds": [1, 8]}, "low: 1, high: 8"),  # Ax
        ({"scale": "log", "lower": 1, "upper": 8}, "low: 1, high: 8, log: true"),
        ({"low": 0, "high": 1}, None),  # ours
        ({"low": 0, "hihg": 1}, None),  # a slip, not a word of another tool's
        ({"1": 640, "5": 960}, None),
        ({"min": "small", "max": "large"}, None),
    ],
)
def test_what_another_tool_calls_a_domain_is_written_in_our_words(raw: dict[str, Any], said: str | None):
    assert in_our_words(raw) == said


def test_every_domain_of_a_space_is_answered_and_none_is_taken_for_a_slip():
    mistakes = Mistakes()
    parse_space({"optimizer": {"values": ["adam", "sgd"]}, "dropout": {"min": 0, "max": 0.6}}, [], None, mistakes)
    assert [str(mistake).rpartition("; ")[2] for mistake in mistakes] == [
        "write choices: [adam, sgd]",
        "write low: 0, high: 0.6",
    ]


def test_a_name_that_others_use_is_known_by_its_meaning():
    fields = ["lr", "lr_schedule", "learning_curve", "batch_size", "epochs"]
    for name, ours in (("learning_rate", "lr"), ("bs", "batch_size"), ("num-epochs", "epochs"), ("epoch", "epochs")):
        assert did_you_mean(name, fields) == f", did you mean `{ours}`?"
    assert did_you_mean("learning_rate", ["learning_rates"]) == ", did you mean `learning_rates`?"
