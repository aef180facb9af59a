"""The batches of an epoch, in an order that only the seed and the epoch decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from trainables.train_config import TrainConfig
from trainables.trainable import Run


def training_batches(
    dataset: Dataset[Any], collate: Callable[[Any], Any], config: TrainConfig, run: Run, epoch: int
) -> Iterable[Any]:
    """All items in shuffled order; the rest that fills no batch is left out, another one each epoch."""
    count = len(dataset)  # type: ignore[arg-type]
    # A generator of its own: the order neither depends on the random numbers drawn so far nor uses any up.
    generator = torch.Generator().manual_seed(run.seed * 100_003 + epoch)
    order = torch.randperm(count, generator=generator).tolist()
    kept = order[: batches_per_epoch(count, config.batch_size) * config.batch_size]
    return _loader(dataset, collate, config, run, kept, generator)


def evaluation_batches(
    dataset: Dataset[Any], collate: Callable[[Any], Any], config: TrainConfig, run: Run
) -> Iterable[Any]:
    """All items in their own order, none left out."""
    count = len(dataset)  # type: ignore[arg-type]
    return _loader(dataset, collate, config, run, list(range(count)), torch.Generator().manual_seed(run.seed))


def batches_per_epoch(count: int, batch_size: int) -> int:
    """Whole batches only, so that no step sees a single image (batch normalisation needs several); one at least."""
    return max(count // batch_size, 1)


def loader_processes(config: TrainConfig, run: Run) -> int:
    """config.workers, or beside a GPU as many as torch has threads: one per CPU of the trial."""
    if config.workers >= 0:
        return config.workers
    return 0 if run.device == "cpu" else torch.get_num_threads()


def _loader(
    dataset: Dataset[Any],
    collate: Callable[[Any], Any],
    config: TrainConfig,
    run: Run,
    order: list[int],
    generator: torch.Generator,
) -> DataLoader[Any]:
    cv2.setNumThreads(torch.get_num_threads())  # OpenCV would take every core of the machine
    return DataLoader(
        dataset,
        batch_size=config.batch_size,
        sampler=order,
        num_workers=loader_processes(config, run),
        collate_fn=collate,
        pin_memory=run.device == "cuda",
        worker_init_fn=_one_thread,
        generator=generator,
    )


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(0)
