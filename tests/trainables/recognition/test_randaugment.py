"""Checks RandAugment's changes against torchvision's, on square crops, which the bounds for text do not concern."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import RandAugment

from trainables.recognition.randaugment import MAGNITUDES, OPS, look_up, randaugment


def smooth(seed: int, height: int = 48, width: int = 48) -> np.ndarray:
    """Draws colour that varies slowly, so that a rounded coordinate matters little."""
    coarse = np.random.default_rng(seed).integers(0, 256, size=(5, 5, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def torchvisions(image: np.ndarray, name: str, magnitude: int, sign: int) -> np.ndarray:
    table, signed = RandAugment._AUGMENTATION_SPACE[name]
    levels = table(MAGNITUDES + 1, *image.shape[:2])
    level = 0.0 if levels is None else float(levels[magnitude]) * (sign if signed else 1)
    chw = torch.from_numpy(image.transpose(2, 0, 1).copy())
    changed = RandAugment()._apply_image_or_video_transform(
        chw, name, level, interpolation=InterpolationMode.BILINEAR, fill={torch.Tensor: None, "others": None}
    )
    return changed.numpy().transpose(1, 2, 0)


def test_the_changes_are_torchvisions() -> None:
    assert set(OPS) == set(RandAugment._AUGMENTATION_SPACE)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("magnitude", [0, 1, 9, 17, 30])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_change_is_torchvisions(name: str, magnitude: int, sign: int) -> None:
    for seed in range(4):
        image = smooth(seed)
        ours = OPS[name](image, magnitude / MAGNITUDES, sign).astype(int)
        off = np.abs(ours - torchvisions(image, name, magnitude, sign))
        moved = name in ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
        # a border's position is rounded to 1/32 px by OpenCV, and black beside it starts at once in torchvision
        assert np.quantile(off, 0.9 if moved else 1.0) <= (6 if moved else 2), (off.max(), np.quantile(off, 0.9))


@pytest.mark.parametrize("name", ["ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_nothing_of_a_long_line_moves_further_than_it_is_high(name: str, sign: int) -> None:
    """Of colours that say where they come from, as strongly moved as can be."""
    height, width = 32, 800
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 0], image[:, :, 1], image[:, :, 2] = (
        np.linspace(0, 255, width),
        np.linspace(0, 255, height)[:, None],
        255,
    )
    moved = OPS[name](image, 1.0, sign).astype(float)
    y, x = np.nonzero(moved[:, :, 2] == 255)  # what comes from outside is black, and mixes with its neighbours
    assert len(y) > 0.4 * height * width
    assert np.abs(moved[y, x, 0] / 255 * (width - 1) - x).max() <= height + 4  # a gray level is 3 px here
    assert np.abs(moved[y, x, 1] / 255 * (height - 1) - y).max() <= height


def test_a_table_is_rounded_and_ends_at_black_and_white() -> None:
    table = np.linspace(-300, 600, 256, dtype=np.float32)
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(look_up(image, table).ravel()[::3], np.clip(np.rint(table), 0, 255).astype(np.uint8))


def test_no_changes_leave_the_crop() -> None:
    image = smooth(0)
    assert np.array_equal(randaugment(image, 0, 30, np.random.default_rng(0)), image)


def test_every_change_is_drawn() -> None:
    image = smooth(1, 32, 100)
    drawn = {randaugment(image, 1, 30, np.random.default_rng(seed)).tobytes() for seed in range(400)}
    assert drawn == {change(image, 1.0, sign).tobytes() for change in OPS.values() for sign in (-1, 1)}
