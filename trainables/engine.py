"""Runs the epochs of every task in the only loop there is: resume, train, evaluate, save, yield."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from trainables.checkpoint import MODEL_FILE, TRAINING_FILE, load_weights, write
from trainables.optim import build_lr_schedule, build_optimizer
from trainables.tensor_file import load_tensors
from trainables.train_config import TrainConfig
from trainables.trainable import Run

CHECK_EVERY = 8  # batches between two checks that the loss is finite, because each waits for the GPU

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class Task:
    """Holds what a task brings to the loop.

    model: a module that owns its loss: model.loss(batch) -> {"loss": scalar to minimise, name: scalar to report, ...}.
    loader: returns the training batches of an epoch (from 1), the same ones whenever it is called again.
    steps_per_epoch: how many batches the loader gives.
    evaluate: returns the metrics of (model, epoch), named with their split.
    metric, mode: what early stopping watches where nothing else is asked for, and whether its best is "max" or "min".
    """

    model: Any
    loader: Callable[[int], Iterable[Batch]]
    steps_per_epoch: int
    evaluate: Callable[[Any, int], Mapping[str, float]]
    metric: str
    mode: str = "max"


@dataclass
class Progress:
    """Counts the epochs done, the best score so far, and the epochs since it was reached."""

    epoch: int = 0
    best: float | None = None
    epochs_since_best: int = 0

    def note(self, epoch: int, score: float, mode: str) -> None:
        """Takes the score of an epoch; an equal score is no better one."""
        self.epoch = epoch
        if self.best is None or (score > self.best if mode == "max" else score < self.best):
            self.best, self.epochs_since_best = score, 0
        else:
            self.epochs_since_best += 1


class Learner:
    """Holds the model and everything that changes while it learns; saves and restores all of it bit by bit."""

    def __init__(self, task: Task, config: TrainConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        torch.backends.cudnn.benchmark = True  # A run has few shapes: searching for their fastest kernels pays.
        self.memory_format = torch.channels_last if config.channels_last else torch.contiguous_format
        self.model = task.model.to(device=device, memory_format=self.memory_format)
        self.optimizer = build_optimizer(self.model, config)
        self.lr_schedule = build_lr_schedule(self.optimizer, config, task.steps_per_epoch)
        self.precision = choose_precision(config.precision, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision is torch.float16)
        self.ema = ModelEmaV3(self.model, decay=config.ema_decay, use_warmup=True) if config.ema_decay else None
        self.progress = Progress()
        self.steps = 0

    @property
    def scored_model(self) -> nn.Module:
        """Returns the model that is evaluated and kept: the average of the weights where there is one."""
        return self.ema.module if self.ema is not None else self.model

    def learn(self, batch: Batch) -> dict[str, Tensor]:
        """Makes one optimizer step over a batch, cut into pieces where memory asks for it.

        Returns the losses of the batch, on the device.
        """
        sums: dict[str, Tensor] = {}
        size = len(next(iter(batch.values())))
        for piece in cut(batch, self.config.accumulation_steps):
            share = len(next(iter(piece.values()))) / size
            with torch.autocast(self.device.type, self.precision, enabled=self.precision is not torch.float32):
                losses = self.model.loss(move(piece, self.device, self.memory_format))
            self.scaler.scale(losses["loss"] * share).backward()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0) + value.detach() * share
        if self.config.gradient_clip:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.lr_schedule.step()
        self.steps += 1
        if self.ema is not None:
            self.ema.update(self.model, step=self.steps)
        return sums

    def save(self, directory: Path) -> None:
        """Writes MODEL_FILE and TRAINING_FILE into the directory."""
        write(self.scored_model.state_dict(), directory / MODEL_FILE)
        training = {
            "epoch": self.progress.epoch,
            "best": self.progress.best,
            "epochs_since_best": self.progress.epochs_since_best,
            "steps": self.steps,
            "optimizer": self.optimizer.state_dict(),
            "lr_schedule": self.lr_schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": random_states(),
            "model": None if self.ema is None else self.model.state_dict(),
        }
        write(training, directory / TRAINING_FILE)

    def restore(self, directory: Path) -> None:
        """Takes up the state that `save` wrote, the states of the random generators included."""
        training = load_tensors(directory / TRAINING_FILE)
        self.scored_model.load_state_dict(load_weights(directory))
        if self.ema is not None:
            self.model.load_state_dict(training["model"])
        self.optimizer.load_state_dict(training["optimizer"])
        self.lr_schedule.load_state_dict(training["lr_schedule"])
        self.scaler.load_state_dict(training["scaler"])
        self.progress = Progress(training["epoch"], training["best"], training["epochs_since_best"])
        self.steps = training["steps"]
        restore_random_states(training["random"])


def fit(task: Task, config: TrainConfig, run: Run) -> Generator[dict[str, float], None, str | None]:
    """Yields the metrics of each epoch: train/loss (and its terms), lr, images_per_second, those of `evaluate`.

    Returns why it ended before the last epoch, None if it did not. Early stopping watches what the scheduler watches,
    else what the task names. A loss that is no longer finite ends the run with one last report that says so, and
    without a checkpoint. A resumed run equals an uninterrupted one if `seed_everything` was called before the model was
    built.
    """
    learner = Learner(task, config, torch.device(run.device))
    if run.checkpoint_dir is not None:
        learner.restore(run.checkpoint_dir)
    progress = learner.progress
    metric, mode = run.watch or (task.metric, task.mode)
    while progress.epoch < config.epochs and not out_of_patience(progress, config):
        epoch = progress.epoch + 1
        trained = train_epoch(learner, task.loader(epoch), lambda step: run.tell_step(step, task.steps_per_epoch))
        if not math.isfinite(trained["train/loss"]):
            yield trained | {task.metric: math.nan}
            return None
        learner.scored_model.eval()
        scores = dict(task.evaluate(learner.scored_model, epoch))
        metrics = trained | scores
        if metric not in metrics:
            metric, mode = task.metric, task.mode
        progress.note(epoch, metrics[metric], mode)
        run.save_checkpoint(learner.save)
        yield metrics
    if progress.epoch >= config.epochs:
        return None
    return stopped_early(metric, config.early_stopping_patience)


def stopped_early(metric: str, patience: int) -> str:
    """Returns why early stopping ended a run; the orchestrator knows these words (orchestrator/study/endings.py)."""
    return f"stopped early: {metric} did not improve for {patience} epoch{'' if patience == 1 else 's'}"


def train_epoch(
    learner: Learner, batches: Iterable[Batch], tell_step: Callable[[int], None] = lambda step: None
) -> dict[str, float]:
    """Makes one pass over the batches and returns its metrics; ends at the first loss that is not finite.

    tell_step: is called with the number of each batch, from 1, once it is learned.
    """
    learner.model.train()
    if learner.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    sums: dict[str, Tensor] = {}
    images, started = 0, time.perf_counter()
    lr = 0.0
    for number, batch in enumerate(batches, start=1):
        lr = float(learner.lr_schedule.get_last_lr()[0])
        size = len(next(iter(batch.values())))
        for name, value in learner.learn(batch).items():
            sums[name] = sums.get(name, 0) + value * size
        images += size
        tell_step(number)
        if number % CHECK_EVERY == 0 and not math.isfinite(float(sums["loss"])):
            break
    metrics = {f"train/{name}": float(value) / images for name, value in sums.items()}
    metrics["lr"] = lr
    metrics["images_per_second"] = images / (time.perf_counter() - started)
    if learner.device.type == "cuda":
        metrics["peak_memory_gb"] = torch.cuda.max_memory_allocated() / 2**30
    return metrics


def out_of_patience(progress: Progress, config: TrainConfig) -> bool:
    """Returns whether early stopping ends the run."""
    return 0 < config.early_stopping_patience <= progress.epochs_since_best


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Returns the type that matrix products are computed in; float32 means no autocast."""
    if name == "auto" and device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return {"auto": torch.float32, "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]


def cut(batch: Batch, pieces: int) -> Iterator[Batch]:
    """Yields the batch in at most `pieces` parts of nearly equal size."""
    size = len(next(iter(batch.values())))
    bounds = [size * i // pieces for i in range(pieces + 1)]
    for start, end in pairwise(bounds):
        if end > start:
            yield {name: value[start:end] for name, value in batch.items()}


def move(batch: Batch, device: torch.device, memory_format: torch.memory_format) -> Batch:
    """Returns the batch on the device, its images (B x C x H x W) in the memory layout of the model."""
    layouts = {name: memory_format if value.dim() == 4 else torch.preserve_format for name, value in batch.items()}
    return {name: value.to(device, non_blocking=True, memory_format=layouts[name]) for name, value in batch.items()}


def seed_everything(seed: int) -> None:
    """Seeds the random numbers of Python, NumPy and torch; call it before the model is built."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_states() -> dict[str, Any]:
    """Returns the states of all random generators, in types that load_tensors reads."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (str(kind), torch.from_numpy(np.asarray(keys, np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_states(states: Mapping[str, Any]) -> None:
    """Sets all random generators to the states that random_states returned."""
    random.setstate(states["python"])
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
