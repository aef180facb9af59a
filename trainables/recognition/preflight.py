"""Checks a study of text recognition for `tune check`: labels, one batch, and whether a few crops can be learnt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from trainables.backbone import NoWeights
from trainables.data.batches import batches_per_epoch
from trainables.data.image_file import BadImage, Pixels
from trainables.data.label_checks import blocks
from trainables.one_step import out_of_memory
from trainables.recognition.augment import Augment
from trainables.recognition.charset import Charset
from trainables.recognition.charset_file import read_charset_file
from trainables.recognition.config import Config
from trainables.recognition.crnn import build_crnn
from trainables.recognition.data_section import CropSection
from trainables.recognition.dataset import SPLITS, Crop, CropDataset, charset_of, load_crops
from trainables.recognition.label_checks import check_labels, time_steps_of
from trainables.recognition.learning_probe import check_learning
from trainables.recognition.text_checks import check_texts
from trainables.trainable import Finding

SHOWN = 12  # crops in the picture
SHOWN_HEIGHT = 64  # px of each


def check(config: Config, data: Mapping[str, Any], directory: Path) -> Iterator[Finding]:
    """Yields findings on labels, pictures and splits, on a batch before and after augmentation, on learning.

    Draws batch.png in `directory`. Each check needs those before it: what builds on a broken one is left out.
    """
    try:
        section = CropSection.parse(data)
        yield from check_texts(section)
        splits = {split: load_crops(data, split, with_bad=True) for split in SPLITS}
        charset = charset_of(data)
        folded = "" if section.charset is None else read_charset_file(section.charset).detail
    except (ValueError, OSError) as error:
        yield Finding("labels", "cannot be read", str(error))
        return
    blocked = False
    for finding in check_labels(splits, charset, time_steps_of(config), skip=section.skips_bad, folded=folded):
        blocked |= finding.check in ("charset", "label lengths", "pictures") and blocks(finding, data)
        yield finding
    if blocked:
        return
    try:
        crops = load_crops(data, "train")
        yield _draw_batch(crops, charset, config, directory)
        yield _count_weights(charset, config)
        yield from check_learning(crops, charset, config, batches_per_epoch(len(crops), config.batch_size))
    except (BadImage, NoWeights, ValueError) as error:
        yield Finding("one batch", "cannot be made", str(error))
    except torch.OutOfMemoryError as error:
        yield out_of_memory(error, "width")


def _count_weights(charset: Charset, config: Config) -> Finding:
    """Builds the network, and says how large it is."""
    model = build_crnn(config, charset)
    weights = sum(parameter.numel() for parameter in model.parameters())
    pretrained = "pretrained" if config.pretrained else "from scratch"
    detail = (
        f"{config.backbone} ({pretrained}), neck {config.neck}, {charset.size} classes, {weights / 1e6:.2f} M weights"
    )
    return Finding("network", detail)


def _draw_batch(crops: Sequence[Crop], charset: Charset, config: Config, directory: Path) -> Finding:
    """Draws the first crops before augmentation (left) and after it (right)."""
    shown = list(range(min(SHOWN, len(crops))))
    plain = CropDataset(crops[: len(shown)], charset, config)
    changed = CropDataset(crops[: len(shown)], charset, config, Augment.from_config(config))
    changed.set_epoch(1)
    rows = [_side_by_side(before, after) for before, after in zip(plain.view(shown), changed.view(shown), strict=True)]
    widest = max(row.shape[1] for row in rows)
    picture = directory / "batch.png"
    directory.mkdir(parents=True, exist_ok=True)
    page = np.concatenate([np.pad(row, ((2, 2), (0, widest - row.shape[1]), (0, 0))) for row in rows])
    picture.write_bytes(cv2.imencode(".png", page[:, :, ::-1])[1].tobytes())
    shapes = sorted({f"{image.shape[1]} x {image.shape[0]} px" for image in plain.view(shown)})
    detail = (
        f"crops of {shapes[0]}" + (f" to {shapes[-1]}" if len(shapes) > 1 else "") + ", before and after augmentation"
    )
    return Finding("one batch", detail, pictures=(picture,))


def _side_by_side(before: Pixels, after: Pixels) -> Pixels:
    """Joins both pictures, at SHOWN_HEIGHT."""
    scale = SHOWN_HEIGHT / before.shape[0]
    size = (max(1, round(before.shape[1] * scale)), SHOWN_HEIGHT)
    both = [cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_NEAREST) for image in (before, after)]
    return np.concatenate([both[0], np.zeros((SHOWN_HEIGHT, 8, 3), np.uint8), both[1]], axis=1)
