"""What a trainable declares of its metrics, and what only happens to be called so."""

from __future__ import annotations

import math

import pytest

from trainables.metric import Metric, read_metrics


def test_metrics_are_declared_by_mode_by_name_alone_or_in_full():
    full = Metric("max", "nothing is read at first", moves="val/ned")
    declared = read_metrics({"val/acc": full, "val/cer": "min", "lr": None})
    assert declared == {"val/acc": full, "val/cer": Metric("min"), "lr": Metric(None)}
    assert read_metrics(["val/acc", "train/loss"]) == {"val/acc": Metric(), "train/loss": Metric()}


@pytest.mark.parametrize("other", [None, math, print, {}, [], {"val/acc": 0.5}, {"val/acc": "best"}, {1: "max"}, "acc"])
def test_what_else_a_module_may_call_so_declares_nothing(other: object):
    assert read_metrics(other) is None
