"""Makes the batches of an epoch, in an order that only the seed and the epoch decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from trainables.trainable import Run

Item = TypeVar("Item", covariant=True)


class LoaderSettings(Protocol):
    """Names the settings of a config that decide how batches are loaded."""

    @property
    def batch_size(self) -> int:
        """Returns the number of examples of a batch."""

    @property
    def workers(self) -> int:
        """Returns the number of processes that load examples; -1: see loader_processes."""


class AugmentedDataset(Dataset[Item]):
    """Shows its examples changed in another way each epoch; seed, epoch and index alone decide how."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # Shared: loader processes see it change.

    def set_epoch(self, epoch: int) -> None:
        """Tells which epoch (from 1) the next examples are shown in, also to loader processes that run already."""
        self._epoch.fill_(epoch)

    def random_numbers(self, index: int) -> np.random.Generator:
        """Returns a generator that only the seed, the epoch and `index` decide."""
        return np.random.default_rng((self._seed, int(self._epoch), index))


def training_batches(
    dataset: Dataset[Any], collate: Callable[[Any], Any], config: LoaderSettings, run: Run, epoch: int
) -> Iterable[Any]:
    """Yields all examples in shuffled order; those that fill no whole batch are left out, other ones each epoch."""
    count = len(dataset)  # type: ignore[arg-type]
    # With a generator of its own, the order neither depends on numbers drawn before nor uses up any for others.
    generator = torch.Generator().manual_seed(run.seed * 100_003 + epoch)
    order = torch.randperm(count, generator=generator).tolist()
    kept = order[: batches_per_epoch(count, config.batch_size) * config.batch_size]
    return _loader(dataset, collate, config, run, kept, generator)


def evaluation_batches(
    dataset: Dataset[Any], collate: Callable[[Any], Any], config: LoaderSettings, run: Run
) -> Iterable[Any]:
    """Yields all examples in their own order; none is left out."""
    count = len(dataset)  # type: ignore[arg-type]
    return _loader(dataset, collate, config, run, list(range(count)), torch.Generator().manual_seed(run.seed))


def batches_per_epoch(count: int, batch_size: int) -> int:
    """Returns the number of whole batches of `count` examples, one at least.

    No step may see a single image: batch normalisation needs several.
    """
    return max(count // batch_size, 1)


def loader_processes(config: LoaderSettings, run: Run) -> int:
    """Returns config.workers; where that is -1, torch's number of threads beside a GPU (one a CPU), else 0."""
    if config.workers >= 0:
        return config.workers
    return 0 if run.device == "cpu" else torch.get_num_threads()


def _loader(
    dataset: Dataset[Any],
    collate: Callable[[Any], Any],
    config: LoaderSettings,
    run: Run,
    order: list[int],
    generator: torch.Generator,
) -> DataLoader[Any]:
    cv2.setNumThreads(torch.get_num_threads())  # Otherwise OpenCV takes every core of the machine.
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
