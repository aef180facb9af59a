"""Changes images with the probabilities of a config: one affine warp for all geometry, then colour, blur and noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torchvision.transforms.v2 import functional as F

Pixels = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

COLOR_JITTER = 0.2  # share by which brightness, contrast and saturation change; hue would take ten times as long
CROP_SHARE = (0.4, 1.0)  # share of the area that a crop keeps
BLUR_SIGMA_SHARE = (0.5, 3.0)  # thousandths of the longer side
NOISE_SIGMA = (3.0, 20.0)  # gray levels


@dataclass(frozen=True)
class Augment:
    """Changes images at random; each field says how often, from 0 to 1, one change is made, whatever others are."""

    rotate_prob: float = 0.0
    rotate_degrees: float = 15.0  # at most, to either side
    hflip_prob: float = 0.0
    vflip_prob: float = 0.0
    crop_prob: float = 0.0
    color_jitter_prob: float = 0.0
    blur_prob: float = 0.0
    noise_prob: float = 0.0

    def __post_init__(self) -> None:
        check_bounds(vars(self), {"rotate_degrees": 180})

    @classmethod
    def from_config(cls, config: Any) -> Augment:
        """Takes the attributes of `config` of the same names; those that it lacks keep their default, no change."""
        return cls(**settings_of(config, cls.__dataclass_fields__))

    def __call__(
        self, image: Pixels, polygons: Sequence[Float], rng: np.random.Generator
    ) -> tuple[Pixels, tuple[Float, ...]]:
        """Returns the changed image (height x width x 3, uint8, same size) and its polygons; modifies no argument.

        Polygons are in pixels, where pixel (0, 0) covers x and y from 0 to 1. They are not clipped: text that was
        turned or cropped out of the image has its polygon outside of it.
        """
        height, width = image.shape[:2]
        matrix = self._draw_geometry(height, width, rng)
        if not np.array_equal(matrix, np.eye(3)):
            image = warp_image(image, matrix)
            polygons = [warp_polygon(polygon, matrix) for polygon in polygons]
        return self._recolor(image, rng), tuple(polygons)

    def _draw_geometry(self, height: int, width: int, rng: np.random.Generator) -> Matrix:
        """Draws one matrix (3 x 3) for all changes of geometry."""
        matrix = np.eye(3)
        if rng.random() < self.crop_prob:
            matrix = crop_matrix(height, width, rng.uniform(*CROP_SHARE), rng.random(), rng.random()) @ matrix
        if rng.random() < self.rotate_prob:
            matrix = rotation_matrix(height, width, rng.uniform(-1, 1) * self.rotate_degrees) @ matrix
        if rng.random() < self.hflip_prob:
            matrix = np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]]) @ matrix
        if rng.random() < self.vflip_prob:
            matrix = np.array([[1.0, 0, 0], [0, -1, height], [0, 0, 1]]) @ matrix
        return matrix

    def _recolor(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Changes colour, blur and noise."""
        if rng.random() < self.color_jitter_prob:
            image = _jitter(image, rng)
        if rng.random() < self.blur_prob:
            image = _blur(image, rng.uniform(*BLUR_SIGMA_SHARE))
        if rng.random() < self.noise_prob:
            sigma = rng.uniform(*NOISE_SIGMA)
            image = add_noise(image, rng.standard_normal(image.shape, dtype=np.float32), sigma)
        return image


def check_bounds(settings: Mapping[str, float], highest: Mapping[str, float]) -> None:
    """Raises ValueError for a setting below 0, or above 1 or what `highest` says of it."""
    for name, value in settings.items():
        high = highest.get(name, 1)
        if not 0 <= value <= high:  # This is false for nan as well.
            raise ValueError(f"{name}: 0 <= {name} <= {high} must hold, but got {value}")


def settings_of(config: Any, names: Iterable[str]) -> dict[str, Any]:
    """Returns those attributes of `config` that have one of these names."""
    return {name: getattr(config, name) for name in names if hasattr(config, name)}


def rotation_matrix(height: int, width: int, degrees: float) -> Matrix:
    """Returns the turn, clockwise as seen, about the middle of the image: 3 x 3, for columns (x, y, 1)."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = width / 2, height / 2
    return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])


def crop_matrix(height: int, width: int, share: float, across: float, down: float) -> Matrix:
    """Returns the matrix that enlarges a part of the image, `share` of its area, to the whole.

    across, down: where the part lies, from 0 (left, top) to 1.
    """
    side = np.sqrt(share)
    left, top = across * width * (1 - side), down * height * (1 - side)
    return np.array([[1 / side, 0, -left / side], [0, 1 / side, -top / side], [0, 0, 1]])


def warp_image(image: Pixels, matrix: Matrix) -> Pixels:
    """Moves the image by `matrix` (3 x 3, affine); what comes into view from outside is black."""
    to_centres = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])  # cv2 counts from the centre of the first pixel.
    centred = to_centres @ matrix @ np.linalg.inv(to_centres)
    warped: Pixels = cv2.warpAffine(image, centred[:2], (image.shape[1], image.shape[0]), flags=cv2.INTER_LINEAR)
    return warped


def warp_polygon(polygon: Float, matrix: Matrix) -> Float:
    """Moves the polygon (N x 2) by `matrix` (3 x 3, affine)."""
    return (polygon @ matrix[:2, :2].T + matrix[:2, 2]).astype(np.float32)


def _jitter(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Changes brightness, contrast and saturation, in an order that is drawn too, as torchvision's ColorJitter does."""
    brightness, contrast, saturation = rng.uniform(1 - COLOR_JITTER, 1 + COLOR_JITTER, size=3)
    changes = (
        lambda t: F.adjust_brightness(t, brightness),
        lambda t: F.adjust_contrast(t, contrast),
        lambda t: F.adjust_saturation(t, saturation),
    )
    tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))  # H x W x 3 -> 3 x H x W
    for index in rng.permutation(len(changes)):
        tensor = changes[index](tensor)
    return np.ascontiguousarray(tensor.permute(1, 2, 0).numpy())


def _blur(image: Pixels, sigma_share: float) -> Pixels:
    """Blurs by a Gaussian; sigma_share: thousandths of the longer side."""
    sigma = sigma_share * max(image.shape[:2]) / 1000
    blurred: Pixels = cv2.GaussianBlur(image, (0, 0), max(sigma, 0.2))
    return blurred


def add_noise(image: Pixels, deviates: Float, sigma: float) -> Pixels:
    """Returns the image plus `sigma` gray levels times `deviates` (of its shape), rounded and clipped to 0..255."""
    noisy: Pixels = cv2.addWeighted(image.astype(np.float32), 1, deviates, sigma, 0, dtype=cv2.CV_8U)
    return noisy.reshape(image.shape)
