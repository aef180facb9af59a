"""Builds optimizers with their parameter groups (timm), and computes the course of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from timm.optim import create_optimizer_v2, param_groups_weight_decay
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from trainables.train_config import TrainConfig

ONECYCLE_START = 1 / 25  # share of the peak to start at (Smith & Topin 2018, and torch's OneCycleLR)
ONECYCLE_RISE = 0.3  # share of the steps in which it rises, unless warmup_epochs says otherwise
POLY_POWER = 0.9  # as Chen et al. 2017 (DeepLab) and the authors of DBNet have it


def build_optimizer(model: nn.Module, config: TrainConfig) -> Optimizer:
    """Builds the optimizer over its groups: matrices and kernels with weight decay, norms and biases without.

    A model may give parameters a decay of their own by `own_weight_decay`, a mapping of names to numbers. Whether decay
    is decoupled (Loshchilov & Hutter 2019) or L2 depends on the optimizer: see TrainConfig.optimizer.
    """
    plain = config.optimizer == "sgd" and config.momentum == 0  # Nesterov's method needs a momentum.
    second = {} if config.optimizer in ("sgd", "rmsprop") else {"betas": _betas(config)}
    return create_optimizer_v2(
        model,
        opt="momentum" if plain else config.optimizer,
        lr=config.lr,
        momentum=config.momentum,
        param_group_fn=partial(parameter_groups, weight_decay=config.weight_decay),
        **second,
    )


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Returns timm's groups, without and with decay, then one for each parameter that the model gives its own decay."""
    own: Mapping[str, float] = getattr(model, "own_weight_decay", {})
    parameters = {name: model.get_parameter(name) for name in own}
    apart = {id(parameter) for parameter in parameters.values()}
    groups = param_groups_weight_decay(model, weight_decay)
    for group in groups:
        group["params"] = [parameter for parameter in group["params"] if id(parameter) not in apart]
    groups += [{"params": [parameters[name]], "weight_decay": decay} for name, decay in own.items()]
    return [group for group in groups if group["params"]]


def build_lr_schedule(optimizer: Optimizer, config: TrainConfig, steps_per_epoch: int) -> LambdaLR:
    """Builds a schedule that is to be stepped after every optimizer step."""
    return LambdaLR(optimizer, lambda step: lr_at(config, step, steps_per_epoch) / config.lr)


def lr_at(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """Returns the learning rate of optimizer step `step` (from 0), so that a resumed run has nothing to restore.

    Warm-up rises linearly to lr; the rest of the epochs then runs through the schedule and ends at min_lr.
    """
    total = config.epochs * steps_per_epoch
    warmup = min(config.warmup_epochs * steps_per_epoch, total)
    low = min(config.min_lr, config.lr)
    if config.lr_schedule == "onecycle":
        return _onecycle(step, total, warmup or ONECYCLE_RISE * total, config.lr, low)
    if step < warmup:
        return config.lr * min((step + 1) / warmup, 1.0)
    done = min((step - warmup) / max(total - warmup, 1), 1.0)  # share of the course that is over
    if config.lr_schedule == "cosine":
        return _cosine(config.lr, low, done)
    if config.lr_schedule == "linear":
        return config.lr + (low - config.lr) * done
    if config.lr_schedule == "poly":
        return low + (config.lr - low) * (1 - done) ** POLY_POWER
    if config.lr_schedule == "step":
        drops = math.floor((step - warmup) / (config.step_epochs * steps_per_epoch))
        return max(config.lr * config.step_factor**drops, low)
    return config.lr


def _cosine(start: float, end: float, done: float) -> float:
    """Returns the value at share `done` of half a cosine from `start` to `end`."""
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


def _onecycle(step: int, total: int, rise: float, peak: float, low: float) -> float:
    """Rises along half a cosine from ONECYCLE_START of the peak, for `rise` steps, and falls along another to `low`."""
    turn = max(min(rise, total - 1) - 1, 0.0)  # The peak is at this step, as torch counts.
    if step <= turn and turn > 0:
        return _cosine(peak * ONECYCLE_START, peak, step / turn)
    return _cosine(peak, low, min((step - turn) / max(total - 1 - turn, 1e-9), 1.0))


def _betas(config: TrainConfig) -> tuple[float, float]:
    """Returns the decay of both averages; lion's second one is shorter."""
    return (config.momentum, 0.99 if config.optimizer == "lion" else 0.999)
