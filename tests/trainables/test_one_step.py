"""Checks that a few steps are timed without the first, and always with the same random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from trainables import one_step
from trainables.one_step import TIMED_STEPS, build_learner, out_of_memory, time_step
from trainables.train_config import TrainConfig

BATCH = {"x": torch.ones(4, 3)}


class Sum(nn.Module):
    """Learns a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        assert self.training
        error = self.layer(batch["x"].to(self.layer.weight.device)).square().mean()
        return {"loss": error, "l2": 2 * error}


def test_a_model_is_built_with_the_same_numbers_whatever_was_drawn_before() -> None:
    first = build_learner(Sum, TrainConfig())
    torch.rand(5)
    assert torch.equal(first.model.layer.weight, build_learner(Sum, TrainConfig()).model.layer.weight)


def test_the_first_step_is_not_timed_and_the_fastest_of_the_others_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, seen = [0.0], []
    monkeypatch.setattr(one_step, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def batch(step: int) -> dict[str, Tensor]:
        seen.append(step)
        clock[0] += {1: 0.125, 2: 2.0, 3: 0.5, 4: 1.0}[step]
        return BATCH

    learner = build_learner(Sum, TrainConfig(lr=0.1))
    timed = time_step(learner, batch)
    assert seen == [1, 2, 3, 4] and len(seen) == TIMED_STEPS + 1 == learner.steps
    assert timed.seconds == 0.5
    assert timed.losses["l2"] == pytest.approx(2 * timed.losses["loss"])


def test_the_losses_are_those_of_the_last_step() -> None:
    learner, plain = build_learner(Sum, TrainConfig(lr=0.1)), build_learner(Sum, TrainConfig(lr=0.1))
    expected = [float(plain.learn(BATCH)["loss"]) for _ in range(TIMED_STEPS + 1)]
    assert time_step(learner, lambda step: BATCH).losses["loss"] == expected[-1]


def test_a_batch_that_does_not_fit_is_a_finding_with_a_remedy() -> None:
    finding = out_of_memory(torch.OutOfMemoryError("tried to allocate 9 GiB"), "width")
    assert (finding.check, finding.detail) == ("one step", "out of memory: tried to allocate 9 GiB")
    assert finding.problem is not None and "lower `batch_size` or `width`, or raise `accum" in finding.problem
