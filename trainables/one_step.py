"""Tries the real network for a few steps: does the batch fit, is the loss finite, how long does a step take?"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from trainables.engine import Batch, Learner, Task, seed_everything
from trainables.train_config import TrainConfig
from trainables.trainable import Finding

TIMED_STEPS = 3


@dataclass(frozen=True)
class StepTime:
    """Holds what a few steps took. seconds: of the fastest. losses: of the last one, by name."""

    seconds: float
    losses: Mapping[str, float]


def build_learner(build: Callable[[], nn.Module], config: TrainConfig, steps_per_epoch: int = 1) -> Learner:
    """Builds a model, always with the same random numbers, and a learner for it, on a GPU if there is one.

    The learner has no data and no scores of its own: call `learn` with batches. Raises what `build` raises.
    """
    seed_everything(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    task = Task(build(), lambda epoch: [], steps_per_epoch, lambda model, epoch: {}, metric="none")
    learner = Learner(task, config, device)
    learner.model.train()
    return learner


def time_step(learner: Learner, batch: Callable[[int], Batch]) -> StepTime:
    """Learns `batch(1)`, `batch(2)`, ... and times all but the first, in which a GPU still chooses its kernels.

    The time includes what `batch` takes. Raises torch.OutOfMemoryError where a batch does not fit.
    """
    seconds, losses = math.inf, {}
    for step in range(1, TIMED_STEPS + 2):
        started = time.perf_counter()
        losses = {name: float(value) for name, value in learner.learn(batch(step)).items()}  # float() waits for a GPU
        if step > 1:
            seconds = min(seconds, time.perf_counter() - started)
    return StepTime(seconds, losses)


def out_of_memory(error: torch.OutOfMemoryError, size: str) -> Finding:
    """Returns the finding for a batch that does not fit; `size` names the setting that makes pictures smaller."""
    remedy = f"the batch does not fit; lower `batch_size` or `{size}`, or raise `accumulation_steps`"
    return Finding("one step", f"out of memory: {error}", remedy)
