"""Changes text crops with the probabilities of a config: one resampling for all geometry, then blur, colour, noise.

Every change takes uint8 and gives uint8: colours go through tables of 256 values that are clipped to 0..255, noise
through an addition that clips. So no change can take 0..1 for 0..255, or turn white into black by an overflow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from trainables.augment import Float, Pixels, add_noise, check_bounds, settings_of
from trainables.recognition.randaugment import MAGNITUDES, look_up, randaugment
from trainables.recognition.tia import CUT_SHARE, cut_rows, draw_tia, resample, turn, unmoved

BLUR_SIGMA_SHARE = (0.01, 0.04)  # of the height, so 0.3 to 1.3 px of 32; PaddleOCR has 1 px
HUE_SHIFT = 15.0  # degrees to either side
SATURATION_SHARE = VALUE_SHARE = 0.3  # share by which they change at most
BRIGHTNESS = 40.0  # gray levels to either side
CONTRAST = 0.3  # share by which it changes at most
NOISE_SIGMA = (3.0, 20.0)  # gray levels
GEOMETRY = ("tia_prob", "crop_prob", "rotate_prob")
COLOURS = ("blur_prob", "hsv_prob", "jitter_prob", "noise_prob", "reverse_prob")
_DEVIATES = 2**20
_LEVELS = np.arange(256, dtype=np.float32)
_HUES = np.arange(256, dtype=np.int16)

Marks = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Augment:
    """Changes crops at random; each field says how often, from 0 to 1, one change is made to those of `aug_prob`."""

    aug_prob: float = 1.0
    tia_prob: float = 0.0
    crop_prob: float = 0.0  # rows cut off at the top or at the bottom
    rotate_prob: float = 0.0
    rotate_degrees: float = 5.0  # at most, to either side
    blur_prob: float = 0.0
    hsv_prob: float = 0.0
    jitter_prob: float = 0.0  # brightness and contrast
    noise_prob: float = 0.0
    reverse_prob: float = 0.0  # white becomes black
    randaugment_num_ops: int = 0
    randaugment_magnitude: int = 9

    def __post_init__(self) -> None:
        other = {"rotate_degrees": 180, "randaugment_num_ops": 100, "randaugment_magnitude": MAGNITUDES}
        check_bounds(vars(self), other)

    @classmethod
    def from_config(cls, config: Any) -> Augment | None:
        """Takes the attributes of `config` of the same names; None where they change nothing."""
        augment = cls(**settings_of(config, cls.__dataclass_fields__))
        return augment if augment.changes_anything else None

    @property
    def changes_anything(self) -> bool:
        """Returns whether any change can happen."""
        chances = [value for name, value in vars(self).items() if name.endswith("_prob") and name != "aug_prob"]
        return self.aug_prob > 0 and (any(chances) or self.randaugment_num_ops > 0)

    def __call__(self, images: Sequence[Pixels], rng: np.random.Generator) -> list[Pixels]:
        """Returns the changed crops, each of its own shape (height x width x 3, uint8 RGB); modifies no argument.

        Crops come at the height that the network takes, and are of any width. The same state of `rng` gives the same
        bytes. Raises TypeError for crops that are not uint8.
        """
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3:
                raise TypeError(
                    "crops: height x width x 3 of uint8 from 0 to 255 must be given, "
                    f"but got {image.dtype} of shape {image.shape}; normalise after augmentation"
                )
        changed = list(images)
        some = 1.0 if self.randaugment_num_ops else 0.0
        shares = [self.aug_prob, *(getattr(self, name) for name in (*GEOMETRY, *COLOURS)), some]
        wanted = rng.random((len(images), len(shares))) < shares
        wanted = wanted[:, 1:] & wanted[:, :1]
        amounts = rng.uniform(-1, 1, size=(len(images), 7))
        geometry, colours = np.split(wanted, [len(GEOMETRY)], axis=1)
        for places in _alike(images, np.flatnonzero(geometry.any(axis=1))):
            alike = np.stack([images[place] for place in places])
            for place, moved in zip(places, self._move(alike, geometry[places], amounts[places, :2], rng), strict=True):
                changed[place] = moved
        for place, (marks, numbers) in enumerate(zip(colours.tolist(), amounts[:, 2:].tolist(), strict=True)):
            if any(marks):
                changed[place] = self._recolour(changed[place], marks, numbers, rng)
        return changed

    def _move(self, images: Pixels, wanted: Marks, amounts: Numbers, rng: np.random.Generator) -> Pixels:
        """Changes the geometry of crops of one shape.

        images: n x height x width x 3. wanted: n x GEOMETRY. amounts: n x 2, from -1 to 1.
        """
        count, height, width, _ = images.shape
        tia, crop, rotate = wanted.T
        rows, degrees = amounts.T
        ends = np.repeat(unmoved(height, width)[None], count, axis=0)
        if tia.any():
            ends[tia] = draw_tia(ends[tia], height, width, rng)
        if crop.any():
            ends[crop] = cut_rows(ends[crop], height, rows[crop] * CUT_SHARE * height)
        if rotate.any():
            ends[rotate] = turn(ends[rotate], height, width, degrees[rotate] * self.rotate_degrees)
        return resample(images, ends)

    def _recolour(self, image: Pixels, wanted: list[bool], amounts: list[float], rng: np.random.Generator) -> Pixels:
        """Changes blur and colours of one crop; amounts are from -1 to 1."""
        blur, hsv, jitter, noise, reverse, some = wanted
        hue, saturation, value, brightness, contrast = amounts
        if blur:
            image = _blur(image, len(image) * rng.uniform(*BLUR_SIGMA_SHARE))
        if hsv:
            image = _shift_hsv(image, hue, saturation, value)
        if jitter:
            image = _jitter(image, brightness, contrast)
        if noise:
            image = add_noise(image, _deviates(image.shape, rng), rng.uniform(*NOISE_SIGMA))
        if reverse:
            image = 255 - image
        if some:
            image = randaugment(image, self.randaugment_num_ops, self.randaugment_magnitude, rng)
        return image


def _alike(images: Sequence[Pixels], places: npt.NDArray[np.intp]) -> list[list[int]]:
    """Groups the places by the shape of their crops."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for place in map(int, places):
        by_shape.setdefault(images[place].shape, []).append(place)
    return list(by_shape.values())


def _blur(image: Pixels, sigma: float) -> Pixels:
    """Blurs by a Gaussian of `sigma` pixels."""
    side = 2 * round(2 * sigma) + 1  # Beyond this kernel lies a twentieth of the weight.
    blurred: Pixels = cv2.GaussianBlur(image, (max(side, 3), max(side, 3)), sigma)
    return blurred.reshape(image.shape)


def _shift_hsv(image: Pixels, hue: float, saturation: float, value: float) -> Pixels:
    """Changes hue, saturation and value, each by -1 to 1 times the most that it may change."""
    table = np.empty((256, 3), np.float32)
    table[:, 0] = (_HUES + round(hue * HUE_SHIFT / 2)) % 180  # OpenCV counts hue in steps of 2 degrees.
    table[:, 1] = _LEVELS * (1 + saturation * SATURATION_SHARE)
    table[:, 2] = _LEVELS * (1 + value * VALUE_SHARE)
    hsv = look_up(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table)
    changed: Pixels = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return changed


def _jitter(image: Pixels, brightness: float, contrast: float) -> Pixels:
    """Changes brightness, and contrast about middle gray, each by -1 to 1 times the most that it may change."""
    factor = 1 + contrast * CONTRAST
    changed: Pixels = cv2.addWeighted(image, factor, image, 0, 127.5 * (1 - factor) + brightness * BRIGHTNESS)
    return changed.reshape(image.shape)


def _deviates(shape: tuple[int, ...], rng: np.random.Generator) -> Float:
    """Returns normal deviates: a part, from anywhere, of a million that are drawn once.

    Drawing them for each crop would take as long as all the other changes together.
    """
    size = math.prod(shape)
    if size > _DEVIATES // 2:
        return rng.standard_normal(shape, dtype=np.float32)
    start = int(rng.random() * (_DEVIATES - size))
    return _million_deviates()[start : start + size].reshape(shape)


@lru_cache(maxsize=1)
def _million_deviates() -> Float:
    return np.random.default_rng(0).standard_normal(_DEVIATES, dtype=np.float32)
