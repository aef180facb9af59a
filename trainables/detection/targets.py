"""Draws what DBNet learns from: shrink map, threshold map and their masks (Liao et al. 2020, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pyclipper

Float = npt.NDArray[np.float32]

THRESHOLD_LOW, THRESHOLD_HIGH = 0.3, 0.7  # of the threshold map, far from and on a text border (authors' code)
_CLIPPER_UNITS = 256  # per pixel, because Clipper works on integers
_RASTER_BITS = 6  # of a fraction of a pixel: cv2.fillPoly takes points in 1/64 pixel
_SHRINK_SHARES = (1.0, 0.85, 0.7, 0.55, 0.4, 0.25)  # of the offset distance, tried one after another
_STRAIGHT_PX = 0.1  # A corner this close to the line between its neighbours is left out.


@dataclass(frozen=True)
class Targets:
    """Holds the maps of one page, float32, each height x width.

    shrink_map: 1 inside a shrunk text polygon.
    shrink_mask: 0 where the page teaches nothing, on ignored or vanished text; else 1.
    threshold_map: 0.7 on a text border, falling to 0.3 at the offset distance on either side.
    threshold_mask: 1 inside a polygon dilated by its offset distance.
    """

    shrink_map: Float
    shrink_mask: Float
    threshold_map: Float
    threshold_mask: Float


def offset_distance(polygon: Float, ratio: float) -> float:
    """Returns how far, in pixels, a polygon of area A and length L is shrunk: A (1 - r^2) / L (eq. 10)."""
    length = cv2.arcLength(polygon, True)
    return float(cv2.contourArea(polygon) * (1 - ratio**2) / length) if length > 0 else 0.0


def offset_polygon(polygon: Float, distance: float) -> list[Float]:
    """Moves the polygon outwards by `distance` pixels, or inwards below 0 (Vatti clipping, round corners).

    Returns no polygon where a shrunk one vanishes, several where it falls apart.
    """
    clipper = pyclipper.PyclipperOffset(2.0, _CLIPPER_UNITS / 8)  # Arcs are exact within an eighth of a pixel.
    path = np.rint(polygon.astype(np.float64) * _CLIPPER_UNITS).astype(np.int64)
    clipper.AddPath(path.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    paths = clipper.Execute(distance * _CLIPPER_UNITS)
    return [np.asarray(path, np.float32) / np.float32(_CLIPPER_UNITS) for path in paths]


def shrink_polygon(polygon: Float, ratio: float) -> list[Float]:
    """Moves the polygon inwards by its offset distance, or by as much of it as leaves the text in one piece.

    Shrunk as the paper says, a ragged outline falls apart, and each piece is then found as a text of its own: of the
    outlines that tools for line segmentation draw on typewritten pages, two of five did. Returns an empty list where
    the polygon vanishes.
    """
    distance = offset_distance(polygon, ratio)
    pieces: list[Float] = []
    for share in _SHRINK_SHARES:
        pieces = offset_polygon(polygon, -distance * share) if distance > 0 else []
        if len(pieces) == 1:
            break
    return pieces


def draw_targets(
    polygons: Sequence[Float], ignore: npt.NDArray[np.bool_], height: int, width: int, ratio: float = 0.4
) -> Targets:
    """Draws the maps of a page; polygons are in pixels, where pixel (0, 0) covers x and y from 0 to 1.

    Polygons may reach beyond the page. A polygon that is too small to be shrunk is ignored as well: its text could
    never be found, so that not finding it must not count.
    """
    if not 0 < ratio < 1:
        raise ValueError(f"shrink_ratio: 0 < shrink_ratio < 1 must hold, but got {ratio}; 0.4 is the usual value")
    shrink_map = np.zeros((height, width), np.uint8)
    nothing_learnt = np.zeros((height, width), np.uint8)
    closeness = np.zeros((height, width), np.float32)
    near = np.zeros((height, width), np.uint8)
    for polygon, ignored in zip(polygons, ignore, strict=True):
        distance = offset_distance(polygon, ratio)
        shrunk = [] if ignored else shrink_polygon(polygon, ratio)
        if not shrunk or sum(map(cv2.contourArea, shrunk)) < 1:
            _fill(nothing_learnt, [polygon])
            continue
        _fill(shrink_map, shrunk)
        _draw_border(closeness, near, polygon, distance)
    threshold_map = THRESHOLD_LOW + (THRESHOLD_HIGH - THRESHOLD_LOW) * closeness
    shrink_mask = 1 - nothing_learnt.astype(np.float32)
    return Targets(shrink_map.astype(np.float32), shrink_mask, threshold_map, near.astype(np.float32))


def _draw_border(closeness: Float, near: npt.NDArray[np.uint8], polygon: Float, distance: float) -> None:
    """Raises `closeness` to 1 - d / distance inside the dilated polygon, d the distance of a pixel to its border."""
    height, width = closeness.shape
    left, top = np.maximum(np.floor(polygon.min(axis=0) - distance), 0).astype(int)
    right, bottom = np.minimum(np.ceil(polygon.max(axis=0) + distance), (width, height)).astype(int)
    if left >= right or top >= bottom:
        return
    box = np.s_[top:bottom, left:right]
    closest = _border_distance(polygon - np.array((left, top), np.float32), bottom - top, right - left, distance)
    near[box] |= closest < distance  # Together with its inside: the dilated polygon.
    _fill(near, [polygon])
    closest *= -1 / distance
    closest += 1
    np.maximum(closeness[box], closest, out=closeness[box])


def _border_distance(polygon: Float, height: int, width: int, reach: float) -> Float:
    """Returns the distance in pixels of each pixel's centre to the polygon's border: height x width.

    Beyond `reach` it is cut off there.
    """
    start = _without_straight_corners(polygon)
    end = np.concatenate((start[1:], start[:1]))
    step = end - start
    slope = step / np.maximum((step * step).sum(axis=1, keepdims=True), 1e-12)
    low = np.maximum(np.minimum(start, end) - reach, 0).astype(int).tolist()
    high = (np.maximum(np.maximum(start, end) + reach, 0) + 1).astype(int).tolist()
    x = np.arange(width, dtype=np.float32) + 0.5
    y = np.arange(height, dtype=np.float32)[:, None] + 0.5
    closest = np.full((height, width), np.float32(reach) ** 2)
    edges = zip(start.tolist(), step.tolist(), slope.tolist(), low, high, strict=True)
    for (start_x, start_y), (step_x, step_y), (slope_x, slope_y), (left, top), (right, bottom) in edges:
        # Only the pixels that may be near to this edge.
        away_x, away_y = x[left:right] - start_x, y[top:bottom] - start_y
        along = away_x * slope_x + away_y * slope_y
        np.maximum(along, 0, out=along)
        np.minimum(along, 1, out=along)
        to_x = away_x - along * step_x
        to_x *= to_x
        along *= -step_y
        along += away_y
        along *= along
        along += to_x
        window = closest[top:bottom, left:right]
        np.minimum(window, along, out=window)
    return np.sqrt(closest, out=closest)


def _without_straight_corners(polygon: Float) -> Float:
    """Leaves out corners on the line between their neighbours: fewer edges to measure distances to."""
    points: Float = cv2.approxPolyDP(polygon.reshape(-1, 1, 2), _STRAIGHT_PX, True).reshape(-1, 2)
    return points if len(points) >= 3 else polygon


def _fill(canvas: npt.NDArray[np.uint8], polygons: Sequence[Float]) -> None:
    """Sets the pixels to 1 whose centre lies in a polygon; cv2 also takes those that its border touches."""
    paths = [np.rint((polygon - 0.5) * (1 << _RASTER_BITS)).astype(np.int32) for polygon in polygons]
    for path in paths:  # Drawn at once, their overlaps would be left out.
        cv2.fillPoly(canvas, [path], 1, shift=_RASTER_BITS)
