"""Checks a study of text detection for `tune check`: the labels, one batch, and one step of the real network."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from trainables.augment import Augment
from trainables.backbone import NoWeights
from trainables.data.batches import batches_per_epoch
from trainables.data.image_file import BadImage, Pixels
from trainables.data.label_checks import blocks
from trainables.detection.config import Config
from trainables.detection.data_section import PageSection
from trainables.detection.dataset import SPLITS, Item, PageDataset, collate, load_pages
from trainables.detection.dbnet import build_dbnet
from trainables.detection.label_checks import check_labels
from trainables.detection.polygon_checks import check_shrinking
from trainables.one_step import build_learner, out_of_memory, time_step
from trainables.trainable import Finding

SHOWN = 4  # pages in the picture of the batch
SHOWN_SIDE = 480  # px of a page in the picture


def check(config: Config, data: Mapping[str, Any], directory: Path) -> Iterator[Finding]:
    """Yields findings on labels, images, polygons, splits, resolution, one batch and one step.

    Draws batch.png in `directory`. Each check needs those before it: what builds on a broken one is left out.
    """
    try:
        skip = PageSection.parse(data).skips_bad
        splits = {name: load_pages(data, name, with_bad=True) for name in SPLITS}
    except (ValueError, OSError, RuntimeError) as error:
        yield Finding("labels", "cannot be read", str(error))
        return
    blocked = False
    for finding in check_labels(splits, skip=skip):
        blocked |= finding.check == "images" and blocks(finding, data)
        yield finding
    resolution = max(config.resolution_at(epoch) for epoch in range(1, config.epochs + 1))
    yield from check_shrinking(splits["train"], resolution, config.shrink_ratio)
    if blocked:
        return
    try:
        dataset = PageDataset(load_pages(data, "train"), resolution, Augment.from_config(config), config.shrink_ratio)
        dataset.set_epoch(1)
        batch, finding = _make_batch(dataset, config.batch_size, directory)
    except (BadImage, ValueError) as error:
        yield Finding("one batch", "cannot be made", str(error))
        return
    yield finding
    yield _learn_one_step(config, batch, len(dataset))


def _make_batch(dataset: PageDataset, batch_size: int, directory: Path) -> tuple[Item, Finding]:
    """Makes the first batch, draws it, and says how much text is left in it after augmentation."""
    started = time.perf_counter()
    items = [dataset[index % len(dataset)] for index in range(batch_size)]
    seconds = (time.perf_counter() - started) / batch_size
    batch = collate(items)
    picture = directory / "batch.png"
    directory.mkdir(parents=True, exist_ok=True)
    shown = np.concatenate([draw_page(dataset, index) for index in range(min(SHOWN, len(dataset)))], axis=0)
    picture.write_bytes(cv2.imencode(".png", shown)[1].tobytes())
    shapes = " x ".join(map(str, batch["image"].shape))
    text = float(batch["shrink_map"].mean())
    detail = f"images {shapes}, {text:.1%} of the pixels are text to learn, {seconds * 1000:.0f} ms per page on one CPU"
    problem, kind = None, None
    if text == 0:
        problem = "no page of the batch has text left; lower crop_prob and rotate_degrees, or look at the picture"
        kind = "no_text_left"
    return batch, Finding("one batch", detail, problem, (picture,), kind=kind)


def draw_page(dataset: PageDataset, index: int) -> Pixels:
    """Draws a page with its texts outlined (green; ignored ones red), its shrink map and its threshold map.

    What the masks leave out is red in the maps. Returns BGR, SHOWN_SIDE x 3 SHOWN_SIDE x 3.
    """
    image, polygons = dataset.view(index)
    item = dataset[index]
    panels = [_resize(image[:, :, ::-1])]
    for polygon, ignored in zip(polygons, dataset.pages[index].ignore, strict=True):
        outline = np.rint((polygon * (SHOWN_SIDE / dataset.resolution) - 0.5) * 16).astype(np.int32)
        cv2.polylines(panels[0], [outline], True, (0, 0, 255) if ignored else (0, 160, 0), 1, cv2.LINE_AA, shift=4)
    for name, mask in (("shrink_map", "shrink_mask"), ("threshold_map", "threshold_mask")):
        gray = cv2.cvtColor(np.rint(item[name][0].numpy() * 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
        gray[item[mask][0].numpy() == 0, 2] = 160
        panels.append(_resize(gray))
    return np.concatenate(panels, axis=1)


def _resize(picture: Pixels) -> Pixels:
    """Resizes a panel to a square of SHOWN_SIDE."""
    method = cv2.INTER_AREA if picture.shape[0] > SHOWN_SIDE else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, (SHOWN_SIDE, SHOWN_SIDE), interpolation=method))


def _learn_one_step(config: Config, batch: Item, pages: int) -> Finding:
    """Learns the batch a few times with the real network, and multiplies the fastest step into an epoch."""
    steps = batches_per_epoch(pages, config.batch_size)
    try:
        learner = build_learner(lambda: build_dbnet(config), config, steps)
        timed = time_step(learner, lambda step: batch)
    except (NoWeights, ValueError) as error:
        return Finding("one step", "the network cannot be built", str(error))
    except torch.OutOfMemoryError as error:
        return out_of_memory(error, "resolution")
    weights = sum(parameter.numel() for parameter in learner.model.parameters())
    memory = f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GB" if learner.device.type == "cuda" else ""
    detail = (
        f"{config.backbone}, {weights / 1e6:.1f} M weights on {learner.device}: "
        f"loss {timed.losses['loss']:.2f}, {timed.seconds:.2f} s{memory}; "
        f"{steps} steps make an epoch of about {_duration(steps * timed.seconds)}"
    )
    wrong = [name for name, value in timed.losses.items() if not math.isfinite(value)]
    problem = f"{', '.join(wrong)} not finite after one step; lower `lr`, or try `precision: fp32`" if wrong else None
    kind = "loss_not_finite" if wrong else None
    return Finding("one step", detail, problem, epoch_seconds=steps * timed.seconds, kind=kind)


def _duration(seconds: float) -> str:
    """Returns seconds in words: 90 s, 3 min."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
