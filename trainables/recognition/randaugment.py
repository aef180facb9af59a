"""Changes text crops by RandAugment (Cubuk et al. 2019): torchvision's changes and strengths, by lookup tables.

Two things differ, because text is far wider than high: no change moves anything by more than the crop's height, and
what is moved is interpolated between pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from trainables.augment import Pixels

MAGNITUDES = 30  # of the strongest change; 0 is the weakest
_LEVELS = np.arange(256, dtype=np.float32)
_AROUND = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13  # torchvision has this kernel


def randaugment(image: Pixels, num_ops: int, magnitude: int, rng: np.random.Generator) -> Pixels:
    """Makes `num_ops` changes one after another, each drawn from OPS at `magnitude` (0 to 30), half of them reversed.

    Takes and gives height x width x 3, uint8 RGB, of the same shape.
    """
    for index, sign in zip(rng.integers(len(OPS), size=num_ops), rng.choice((-1, 1), size=num_ops), strict=True):
        image = OPS[_NAMES[index]](image, magnitude / MAGNITUDES, int(sign))
    return image


def _identity(image: Pixels, strength: float, sign: int) -> Pixels:
    """Changes nothing."""
    return image


def _shear_x(image: Pixels, strength: float, sign: int) -> Pixels:
    return _move(image, [[1, -sign * 0.3 * strength, 0], [0, 1, 0]])


def _shear_y(image: Pixels, strength: float, sign: int) -> Pixels:
    height, width = image.shape[:2]
    return _move(image, [[1, 0, 0], [-sign * min(0.3, height / width) * strength, 1, 0]])


def _translate_x(image: Pixels, strength: float, sign: int) -> Pixels:
    height, width = image.shape[:2]
    return _move(image, [[1, 0, sign * int(min(150 / 331 * width, height) * strength)], [0, 1, 0]])


def _translate_y(image: Pixels, strength: float, sign: int) -> Pixels:
    return _move(image, [[1, 0, 0], [0, 1, sign * int(150 / 331 * image.shape[0] * strength)]])


def _rotate(image: Pixels, strength: float, sign: int) -> Pixels:
    height, width = image.shape[:2]
    degrees = sign * min(30.0, float(np.rad2deg(np.arctan(height / width)))) * strength
    return _move(image, cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0))


def _brightness(image: Pixels, strength: float, sign: int) -> Pixels:
    return look_up(image, _LEVELS * (1 + sign * 0.9 * strength))


def _contrast(image: Pixels, strength: float, sign: int) -> Pixels:
    mean = float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean())
    return look_up(image, mean + (_LEVELS - mean) * (1 + sign * 0.9 * strength))


def _color(image: Pixels, strength: float, sign: int) -> Pixels:
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return _blend(gray, image, 1 + sign * 0.9 * strength)


def _sharpness(image: Pixels, strength: float, sign: int) -> Pixels:
    smooth = image.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, _AROUND)[1:-1, 1:-1]  # The border stays, as in torchvision.
    return _blend(smooth, image, 1 + sign * 0.9 * strength)


def _posterize(image: Pixels, strength: float, sign: int) -> Pixels:
    bits = 8 - round(4 * strength)
    return image & np.uint8(256 - 2 ** (8 - bits))


def _solarize(image: Pixels, strength: float, sign: int) -> Pixels:
    reversed_from = 255 * (1 - strength)
    return look_up(image, np.where(reversed_from <= _LEVELS, 255 - _LEVELS, _LEVELS))


def _auto_contrast(image: Pixels, strength: float, sign: int) -> Pixels:
    table = np.empty((256, 3), np.float32)
    for channel, values in enumerate(cv2.split(image)):
        low, high = float(values.min()), float(values.max())
        table[:, channel] = (_LEVELS - low) * (255 / (high - low)) if low < high else _LEVELS
    return look_up(image, table)


def _equalize(image: Pixels, strength: float, sign: int) -> Pixels:
    """Equalises each channel by Pillow's rule, which is torchvision's too."""
    table = np.empty((256, 3), np.float32)
    for channel, values in enumerate(cv2.split(image)):
        counts = np.bincount(values.ravel(), minlength=256)
        step = (values.size - int(counts[values.max()])) // 255
        below = np.cumsum(counts) - counts
        table[:, channel] = (below + step // 2) // step if step else _LEVELS
    return look_up(image, table)


# Each takes the image, the strength of the change from 0 to 1, and its sign.
OPS: dict[str, Callable[[Pixels, float, int], Pixels]] = {
    "Identity": _identity,
    "ShearX": _shear_x,
    "ShearY": _shear_y,
    "TranslateX": _translate_x,
    "TranslateY": _translate_y,
    "Rotate": _rotate,
    "Brightness": _brightness,
    "Color": _color,
    "Contrast": _contrast,
    "Sharpness": _sharpness,
    "Posterize": _posterize,
    "Solarize": _solarize,
    "AutoContrast": _auto_contrast,
    "Equalize": _equalize,
}
_NAMES = tuple(OPS)


def look_up(image: Pixels, table: npt.NDArray[Any]) -> Pixels:
    """Replaces each value v by table[v], rounded and clipped to 0..255; table: 256, or 256 x 3 channels."""
    ended = cv2.add(table, 0.0, dtype=cv2.CV_8U)  # np.clip and np.rint take three times as long.
    changed: Pixels = cv2.LUT(image, ended.reshape(256, 1, -1))
    return changed.reshape(image.shape)


def _blend(ground: Pixels, image: Pixels, factor: float) -> Pixels:
    """Returns `ground` at factor 0, `image` at 1, and goes on beyond it; rounded and clipped to 0..255."""
    blended: Pixels = cv2.addWeighted(image, factor, ground, 1 - factor, 0)
    return blended


def _move(image: Pixels, matrix: Any) -> Pixels:
    """Moves the image by a 2 x 3 matrix of pixels' indices; what comes into view from outside is black."""
    moved: Pixels = cv2.warpAffine(image, np.asarray(matrix, np.float64), (image.shape[1], image.shape[0]))
    return moved
