"""Draws a photograph of a Korean licence plate of one row, with the exact text on it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from trainables.synthetic.paper import Float, Pixels, soft_noise
from trainables.synthetic.plate_layout import FORMATS, PLATE_SIZE, Color, draw_number, print_plate
from trainables.synthetic.plate_weather import light, photograph_from_afar, soil

PRINT_SCALE = 1.25  # printed pixels per picture pixel; above 1, so that the camera has something to blur
_SHARES = np.cumsum([form.share for form in FORMATS])


def draw_plate(rng: np.random.Generator, *, hardness: float = 0.5, height: int = 32) -> tuple[Pixels, str]:
    """Draws a crop around a plate (`height` x width x 3, uint8 RGB, as wide as it needs); returns also what it says.

    Texts are 123가4567, 12가3456 or, of taxis and old green plates, 서울12가3456, without blanks; the whole plate is in
    the picture. hardness: from 0 (frontal, clean, by day) to 1 (askew, dirty, dark, blurred, few pixels). The same
    state of `rng` draws the same bytes. Raises ValueError, FontsMissing.
    """
    if not 0 <= hardness <= 1:
        raise ValueError(f"hardness: 0 <= hardness <= 1 must hold, but got {hardness}")
    if height < 16:
        raise ValueError(f"height: must be at least 16 px, for less cannot be read, but got {height}")
    form = FORMATS[int(np.searchsorted(_SHARES, rng.random() * _SHARES[-1]))]
    text = draw_number(rng, form)
    px_per_mm = PRINT_SCALE * 0.8 * height / PLATE_SIZE[1]
    colors = _fade(rng, form.ground, hardness), _fade(rng, form.ink, hardness)
    plate = soil(rng, print_plate(form, text, px_per_mm, int(rng.integers(3, 7)), colors), hardness)
    to_crop, width = _draw_pose(rng, plate.shape[:2], height, hardness)
    scene = _draw_car(rng, height, width)
    cv2.warpPerspective(
        plate, to_crop, (width, height), dst=scene, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )
    return photograph_from_afar(rng, light(rng, scene, hardness), hardness), text


def _draw_pose(
    rng: np.random.Generator, plate: tuple[int, ...], height: int, hardness: float
) -> tuple[npt.NDArray[np.float64], int]:
    """Returns the matrix (3 x 3) from the plate's pixels to the crop's, and the width of the crop.

    A crop of `height` and that width holds the whole plate.
    """
    high, wide = plate
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    seen = corners - (wide / 2, high / 2)
    seen *= (rng.uniform(1 - 0.35 * hardness, 1.0), 1.0)  # From the side it is shorter.
    seen += rng.uniform(-0.14, 0.14, size=(4, 2)) * hardness * high
    shear, angle = rng.normal(0, 0.12 * hardness), np.deg2rad(np.clip(rng.normal(0, 0.4 + 4 * hardness), -12, 12))
    seen[:, 0] += shear * seen[:, 1]
    seen = seen @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    low, high_end = seen.min(axis=0), seen.max(axis=0)
    margin = rng.uniform(0.01, 0.04 + 0.1 * hardness, size=(2, 2)) * high  # left and top, right and bottom
    size = high_end - low + margin.sum(axis=0)
    scale = height / size[1]
    # cv2 counts from the centre of the first pixel.
    placed = ((seen - low + margin[0]) * scale - 0.5).astype(np.float32)
    matrix: npt.NDArray[np.float64] = cv2.getPerspectiveTransform(corners - np.float32(0.5), placed)
    return matrix, max(height, round(size[0] * scale))


def _draw_car(rng: np.random.Generator, height: int, width: int) -> Float:
    """Draws what is around the plate: bumpers, painted or black, with an edge or two."""
    scene = np.empty((height, width, 3), np.float32)
    scene[:] = rng.uniform(0.05, 0.85) * rng.uniform(0.85, 1.15, size=3)
    for _ in range(int(rng.integers(0, 3))):
        y = rng.integers(height)
        scene[y : y + int(rng.integers(1, max(2, height // 4)))] *= np.float32(rng.uniform(0.4, 1.5))
    scene *= (1 + np.float32(0.12) * soft_noise(rng, height, width, (3, 6)))[:, :, None]
    return np.clip(scene, 0, 1, out=scene)


def _fade(rng: np.random.Generator, color: Color, hardness: float) -> Color:
    """Returns the colour as years in the sun left it: nearer to gray, and a little off."""
    red, green, blue = np.clip(
        np.array(color) + rng.uniform(0, 0.2 * hardness) * (0.5 - np.array(color)) + rng.normal(0, 0.02, size=3), 0, 1
    ).tolist()
    return red, green, blue
