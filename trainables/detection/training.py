"""Trains and scores text detection: what the engine's loop needs to know of the task."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch

from trainables.augment import Augment
from trainables.checkpoint import checkpoint_epoch, checkpoint_of, load_weights, make_trained
from trainables.data.batches import batches_per_epoch, evaluation_batches, training_batches
from trainables.detection.config import Config
from trainables.detection.dataset import Page, PageDataset, collate, load_pages
from trainables.detection.dbnet import DBNet, build_dbnet
from trainables.detection.metrics import Score, score_page, sum_scores
from trainables.detection.postprocess import Detections, find_text
from trainables.engine import Task, fit, seed_everything
from trainables.trainable import Run


def train(config: Config, run: Run) -> Generator[dict[str, float], None, str | None]:
    """Yields train/loss and its terms, lr, val/hmean, val/precision, val/recall, images_per_second once an epoch."""
    seed_everything(run.seed)
    pages, held_out = load_pages(run.data, "train"), load_pages(run.data, "val")
    augment = Augment.from_config(config)
    datasets: dict[int, PageDataset] = {}  # by resolution

    def loader(epoch: int) -> Iterable[Mapping[str, torch.Tensor]]:
        side = config.resolution_at(epoch)
        if side not in datasets:
            datasets[side] = PageDataset(pages, side, augment, config.shrink_ratio, run.seed)
        datasets[side].set_epoch(epoch)
        return training_batches(datasets[side], collate, config, run, epoch)

    def evaluate(model: DBNet, epoch: int) -> dict[str, float]:
        return score_pages(model, held_out, config, run, epoch).metrics("val")

    model = build_dbnet(config, pretrained=config.pretrained and run.checkpoint_dir is None)
    steps = batches_per_epoch(len(pages), config.batch_size)
    return (yield from fit(Task(model, loader, steps, evaluate, metric="val/hmean"), config, run))


def score_test_split(config: Config, run: Run) -> dict[str, float]:
    """Returns test/hmean, test/precision, test/recall of run.checkpoint_dir; {} without a test split."""
    pages = load_pages(run.data, "test")
    if not pages:
        return {}
    model, epoch = load_detector(config, run)
    return score_pages(model, pages, config, run, epoch).metrics("test")


def load_detector(config: Config, run: Run) -> tuple[DBNet, int]:
    """Returns the network of run.checkpoint_dir, ready to predict, and the epoch it was saved after."""
    checkpoint = checkpoint_of(run)
    model = build_dbnet(config, pretrained=False)
    return make_trained(model, load_weights(checkpoint), config, run.device), checkpoint_epoch(checkpoint)


def score_pages(model: DBNet, pages: Sequence[Page], config: Config, run: Run, epoch: int) -> Score:
    """Returns the score of what the model finds on these pages."""
    found = detect_pages(model, pages, config, run, epoch)
    return sum_scores(score_page(p.polygons, p.ignore, f.polygons) for p, f in zip(pages, found, strict=True))


def detect_pages(model: DBNet, pages: Sequence[Page], config: Config, run: Run, epoch: int) -> Iterator[Detections]:
    """Yields what the model finds on each page, in pixels of the original, at the resolution of `epoch`."""
    dataset = PageDataset(pages, config.resolution_at(epoch), augment=None, shrink_ratio=config.shrink_ratio)
    index = 0
    for batch in evaluation_batches(dataset, collate, config, run):
        for probability in detect(model, batch["image"]):
            yield find_text(probability, config, scale=dataset.scale(index), size=pages[index].size)
            index += 1


def detect(model: DBNet, images: torch.Tensor) -> np.ndarray:
    """Returns the probability of text: uint8 B x 3 x S x S -> float32 B x S x S."""
    device = next(model.parameters()).device
    return model.detect(images.to(device, non_blocking=True)).cpu().numpy()
