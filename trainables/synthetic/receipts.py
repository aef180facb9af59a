"""Draws a photograph of a shop receipt, with the exact polygon of each text on it."""

from __future__ import annotations

import cv2
import numpy as np

from trainables.synthetic.paper import (
    Float,
    Pixels,
    draw_light,
    draw_pose,
    draw_table,
    photograph,
    shade_sheet,
    soft_noise,
)
from trainables.synthetic.receipt_layout import Ink, print_receipt

PRINT_SCALE = 1.5  # printed pixels per picture pixel; above 1, so that the camera has something to blur
_LEAST_EM = 8  # picture pixels to the em; smaller type cannot be seen


def draw_receipt(
    rng: np.random.Generator, size: int, hardness: float = 0.5
) -> tuple[Pixels, tuple[Float, ...], tuple[str, ...]]:
    """Draws a picture (size x size x 3, uint8 RGB); returns it with the polygons of its texts, and the texts.

    Polygons are N x 2, from the top left clockwise, in pixels, where pixel (0, 0) covers x and y from 0 to 1. A text is
    a run of words in a row without a column's gap. hardness: from 0 (flat, clean, sharp) to 1 (crumpled, in shadow,
    faded, noisy). The same state of `rng` draws the same bytes. Raises FontsMissing.
    """
    width, height = size * rng.uniform(0.6, 0.95), size * rng.uniform(0.85, 0.98)
    em = rng.uniform(0.042, 0.06) * size * min(1.0, (256 / size) ** 0.5)  # Larger pictures hold more rows.
    em = round(max(_LEAST_EM, em) * PRINT_SCALE)
    sheet = print_receipt(rng, round(height * PRINT_SCALE), round(width * PRINT_SCALE), em, clutter=hardness)
    pose = draw_pose(rng, width, height, size, hardness)
    x, y = pose.to_sheet(size)
    scale_x, scale_y = sheet.ink.shape[1] / np.float32(width), sheet.ink.shape[0] / np.float32(height)
    ink = cv2.remap(_fade(rng, sheet.ink, hardness), x * scale_x - 0.5, y * scale_y - 0.5, cv2.INTER_LINEAR)[:, :, None]
    shade = shade_sheet(rng, round(height), round(width), hardness)
    shade = cv2.remap(shade, x - 0.5, y - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, :, None]
    paper_color, ink_color = _colors(rng)
    seen = (paper_color + ink * (ink_color - paper_color)) * shade
    cover = np.clip(np.minimum(np.minimum(x, width - x), np.minimum(y, height - y)) + 0.5, 0, 1)[:, :, None]
    scene = draw_table(rng, size, hardness) * _cast_shadow(rng, cover[:, :, 0])[:, :, None]
    scene += cover * (seen - scene)
    scene *= draw_light(rng, size, hardness)[:, :, None]
    if rng.random() < 0.5 * hardness:
        _mark(rng, scene, pose.to_picture(rng.uniform(0.1, 0.9, size=(4, 2)).astype(np.float32) * (width, height)))
    polygons = tuple(
        pose.polygon((left - 1) / scale_x, (top - 1) / scale_y, (right + 1) / scale_x, (bottom + 1) / scale_y)
        for left, top, right, bottom in sheet.boxes  # with a little paper around the ink, as people label
    )
    return photograph(rng, scene, hardness), polygons, sheet.texts


def _colors(rng: np.random.Generator) -> tuple[Float, Float]:
    """Draws the colours of paper (white, cream or gray) and ink (black, brownish or blue)."""
    paper = np.minimum(rng.uniform(0.82, 1.0) + rng.uniform(-0.05, 0.04, size=3), 1)
    ink = rng.uniform(0.0, 0.25) + rng.uniform(0, 0.15, size=3) * (0, 0, 1)
    return paper.astype(np.float32), ink.astype(np.float32)


def _fade(rng: np.random.Generator, ink: Ink, hardness: float) -> Float:
    """Returns how much of the paper the ink covers, from 0 to 1: thermal print fades in patches."""
    strength = rng.uniform(1 - 0.65 * hardness, 1 - 0.1 * hardness)
    patches = np.abs(soft_noise(rng, ink.shape[0], ink.shape[1], (7, 4)))
    patches *= np.float32(-0.45 * hardness)
    patches += 1
    np.maximum(patches, 0.1, out=patches)
    if rng.random() < 0.6 * hardness:  # Dead dots of the print head leave lines.
        patches[:, rng.integers(0, ink.shape[1], size=int(rng.integers(1, 4)))] *= np.float32(0.2)
    patches *= ink
    patches *= np.float32(strength / 255)
    return patches


def _cast_shadow(rng: np.random.Generator, cover: Float) -> Float:
    """Returns the light beside the sheet, of which the sheet takes a part away: side x side."""
    side = cover.shape[0]
    shift = rng.uniform(-0.02, 0.02, size=2) * side
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    moved = cv2.GaussianBlur(cv2.warpAffine(cover, move, (side, side)), (0, 0), max(0.5, side * 0.012))
    return 1 - np.float32(rng.uniform(0.2, 0.6)) * moved


def _mark(rng: np.random.Generator, scene: Float, at: Float) -> None:
    """Draws a stroke of a pen, the bar of a highlighter or the rings of a stamp across the sheet; none is text."""
    side = scene.shape[0]
    color = [(0.75, 0.1, 0.15), (0.1, 0.15, 0.6), (0.1, 0.1, 0.1)][rng.integers(3)]
    kind = rng.integers(3)
    layer = scene.copy()
    if kind == 0:
        t = np.linspace(0, 1, 40)[:, None]
        curve = (1 - t) ** 3 * at[0] + 3 * (1 - t) ** 2 * t * at[1] + 3 * (1 - t) * t**2 * at[2] + t**3 * at[3]
        cv2.polylines(layer, [np.rint(curve * 16).astype(np.int32)], False, color, max(1, side // 200), cv2.LINE_AA, 4)
        opacity = 0.85
    elif kind == 1:
        start, end = (np.rint(at[0] + shift).astype(int).tolist() for shift in ((0, 0), (side * 0.3, side * 0.02)))
        color = [(1.0, 0.95, 0.3), (0.6, 1.0, 0.5)][rng.integers(2)]
        cv2.line(layer, start, end, color, max(4, side // 22), cv2.LINE_AA)
        layer = np.minimum(layer, scene)
        opacity = 0.7
    else:
        centre = np.rint(at[0]).astype(int).tolist()
        for radius in (0.07, 0.045):
            cv2.circle(layer, centre, int(side * radius), color, max(1, side // 128), cv2.LINE_AA)
        opacity = 0.6
    scene += np.float32(opacity) * (layer - scene)
