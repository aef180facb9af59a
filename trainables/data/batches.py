"""The batches of an epoch, in an order that only the seed and the epoch decide."""

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
    """What of a config decides how batches are loaded."""

    @property
    def batch_size(self) -> int:
        """Examples of a batch."""

    @property
    def workers(self) -> int:
        """Processes that load examples; -1 lets loader_processes choose."""


class AugmentedDataset(Dataset[Item]):
    """Examples that each epoch shows changed in another way; the same seed, epoch and index give the same change."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # loader processes that live on see it change

    def set_epoch(self, epoch: int) -> None:
        """Changes what is shown; call it before each epoch."""
        self._epoch.fill_(epoch)

    def random_numbers(self, index: int) -> np.random.Generator:
        """Returns a generator that depends on the seed, the epoch and `index` alone."""
        return np.random.default_rng((self._seed, int(self._epoch), index))


def training_batches(
    dataset: Dataset[Any], collate: Callable[[Any], Any], config: LoaderSettings, run: Run, epoch: int
) -> Iterable[Any]:
    """All items in shuffled order; the rest that fills no batch is left out, another one each epoch."""
    count = len(dataset)  # type: ignore[arg-type]
    # A generator of its own: the order neither depends on the random numbers drawn so far nor uses any up.
    generator = torch.Generator().manual_seed(run.seed * 100_003 + epoch)
    order = torch.randperm(count, generator=generator).tolist()
    kept = order[: batches_per_epoch(count, config.batch_size) * config.batch_size]
    return _loader(dataset, collate, config, run, kept, generator)


def evaluation_batches(
    dataset: Dataset[Any], collate: Callable[[Any], Any], config: LoaderSettings, run: Run
) -> Iterable[Any]:
    """All items in their own order, none left out."""
    count = len(dataset)  # type: ignore[arg-type]
    return _loader(dataset, collate, config, run, list(range(count)), torch.Generator().manual_seed(run.seed))


def batches_per_epoch(count: int, batch_size: int) -> int:
    """Whole batches only, so that no step sees a single image (batch normalisation needs several); one at least."""
    return max(count // batch_size, 1)


def loader_processes(config: LoaderSettings, run: Run) -> int:
    """config.workers, or beside a GPU as many as torch has threads: one per CPU of the trial."""
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
