"""Changes all geometry of text crops in one resampling: TIA (Luo et al. 2020, Learn to augment), cut rows, rotation.

TIA moves control points on the upper and lower edge of the text. The paper moves the pixels between them by moving
least squares. Here they move in straight lines, as columns: column j of the result shows a straight line of the crop,
from one of its Ends to the other. That is 20 times quicker, never folds, and puts every control point where the paper
does. What comes into view from outside the crop is its border, repeated.

Every function takes one crop or, with leading dimensions (`...`), all crops of a batch that have one shape, because
most of the time would otherwise go into calling numpy.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from trainables.augment import Pixels, rotation_matrix

Float = npt.NDArray[np.float32]
# For each column of the result, where on the crop its upper (0) and its lower (1) end come from, as x (0) and y (1) in
# pixels: ... x 2 x 2 x width. Pixel (0, 0) covers x and y from 0 to 1.
Ends = npt.NDArray[np.float64]
Points = npt.NDArray[np.float64]

SEGMENT_SHARE = (0.5, 1.0)  # of the height, between control points; a crop of 32 x 100 has 3 to 6 segments
DISTORT_SHARE = 1 / 3  # of a segment, by which a point of the edges moves; a segment counts as the height at most
STRETCH_SHARE = 0.8  # of a segment, by which a point moves along the text, half of it to either side
PERSPECTIVE_SHARE = (
    0.25  # of the height, by which a corner comes in; with half of it, as in PaddleOCR, a side can vanish
)
CUT_SHARE = 0.15  # of the height, that is cut off at most
_RESAMPLED_AT_ONCE = 30_000  # px; more fit neither into the processor's cache nor into the short integers of cv2.remap


@lru_cache(maxsize=256)
def unmoved(height: int, width: int) -> Ends:
    """Returns the ends that show the crop as it is; read-only."""
    ends = np.empty((2, 2, width))
    ends[:, 0] = np.arange(width) + 0.5
    ends[0, 1], ends[1, 1] = 0.0, height
    ends.setflags(write=False)
    return ends


def draw_tia(ends: Ends, height: int, width: int, rng: np.random.Generator) -> Ends:
    """Distorts, then stretches, then changes the perspective, each as drawn from `rng`.

    `ends` are those of crops not yet moved. The number of segments is drawn once for all crops, all else for each.
    """
    leading = ends.shape[:-3]
    ends = perspective(ends, height, width, rng.random((*leading, 4)) * (PERSPECTIVE_SHARE * height))
    chance = rng.random(2)
    count = _segments(height, width, chance[0])
    ends = stretch(ends, width, (rng.random((*leading, count - 1)) - 0.5) * STRETCH_SHARE)
    low, high = _distortions(_segments(height, width, chance[1]))
    return distort(ends, height, width, low + rng.random((*leading, *low.shape)) * (high - low))


def perspective(ends: Ends, height: int, width: int, depths: Points) -> Ends:
    """Moves the corners (top left, top right, bottom left, bottom right) in by `depths` pixels, below height / 2."""
    top_left, top_right, bottom_left, bottom_right = np.moveaxis(depths, -1, 0)[..., None]  # each ... x 1
    across = unmoved(height, width)[0, 0] / width
    top = top_left + across * (top_right - top_left)
    bottom = (height - bottom_left) + across * (bottom_left - bottom_right)
    moved = ends.copy()
    moved[..., 1, :] -= top[..., None, :]
    moved[..., 1, :] *= (height / (bottom - top))[..., None, :]
    return moved


def stretch(ends: Ends, width: int, moves: Points) -> Ends:
    """Moves the n - 1 points between n equal segments along the text by `moves` segments, within (-0.5, 0.5)."""
    points = _points(width, moves.shape[-1] + 1)
    shifted = np.zeros((*moves.shape[:-1], len(points)))
    shifted[..., 1:-1] = moves * points[1]
    shifted += points
    moved = ends.copy()
    moved[..., 0, :] = _interpolate(ends[..., 0, 0, :], shifted, points)[..., None, :]
    return moved


def distort(ends: Ends, height: int, width: int, moves: Points) -> Ends:
    """Moves the n + 1 ends of n segments on the upper and the lower edge.

    moves: ... x edge x axis x n + 1, in segments. A segment counts for no longer than the crop is high.
    """
    points = _points(width, moves.shape[-1] - 1)
    moves = moves * min(points[1], height)
    across, down = ends[..., :1, 0, :], ends[..., 1, :] / height
    x = _interpolate(across, points + moves[..., 0, :], points)  # ... x edge x width
    dy = _interpolate(x, points, moves[..., 1, :])
    moved = np.empty_like(ends)
    moved[..., 0, :] = x[..., :1, :] + down * (x[..., 1:, :] - x[..., :1, :])
    moved[..., 1, :] = ends[..., 1, :] - (dy[..., :1, :] + down * (dy[..., 1:, :] - dy[..., :1, :]))
    return moved


def cut_rows(ends: Ends, height: int, rows: float | Points) -> Ends:
    """Cuts off `rows` pixels at the top, or at the bottom where `rows` is below 0."""
    rows = np.asarray(rows)[..., None, None]
    moved = ends.copy()
    moved[..., 1, :] *= 1 - np.abs(rows) / height
    moved[..., 1, :] += np.maximum(rows, 0.0)
    return moved


def turn(ends: Ends, height: int, width: int, degrees: float | Points) -> Ends:
    """Turns clockwise about the middle by `degrees`; by less where the ends of a long text would leave the crop."""
    most = np.rad2deg(np.arctan(height / width))
    angles = np.clip(degrees, -most, most)
    back = np.array([rotation_matrix(height, width, -angle) for angle in angles.ravel()])
    back = back.reshape(*angles.shape, 1, 3, 3)
    turned: Ends = back[..., :2, :2] @ ends + back[..., :2, 2:]
    return turned


def resample(images: Pixels, ends: Ends) -> Pixels:
    """Returns the crops (... x height x width x 3, uint8) as the ends show them, of the same shape."""
    height, width = images.shape[-3:-1]
    stacked = images.reshape(-1, width, 3)  # The crops lie one below the other.
    resampled = np.empty_like(stacked)
    # 2 ends x 2 axes x crops x 1 x width; cv2 counts from the first pixel's centre.
    between = np.ascontiguousarray(np.moveaxis(ends.reshape(-1, 2, 2, 1, width) - 0.5, 0, 2), np.float32)
    some = max(_RESAMPLED_AT_ONCE // (height * width), 1)
    for start in range(0, between.shape[2], some):
        upper, lower = between[:, :, start : start + some]
        x, y = _down(height) * (lower - upper) + upper  # crops x height x width
        np.maximum(y, 0, out=y)  # Above and below is the border, not the next crop.
        np.minimum(y, height - 1, out=y)
        y += np.arange(0, len(y) * height, height, dtype=np.float32)[:, None, None]
        # Both calls together take half of what cv2.remap(x, y) does.
        whole, rest = cv2.convertMaps(x.reshape(-1, width), y.reshape(-1, width), cv2.CV_16SC2)
        rows = slice(start * height, (start + some) * height)
        cv2.remap(stacked[rows], whole, rest, cv2.INTER_LINEAR, resampled[rows], cv2.BORDER_REPLICATE)
    return resampled.reshape(images.shape)


def _interpolate(x: Points, points: Points, values: Points) -> Points:
    """Calls np.interp row by row: x ... x width, points and values ... x P, one of them without leading dimensions."""
    every = np.zeros(np.broadcast(points, values).shape)  # np.broadcast_to takes as long as np.interp.
    points, values = points + every, values + every
    first, last = points[..., :1], points[..., -1:]
    # All rows as one, each beyond the end of the one before.
    apart = np.arange(first.size).reshape(first.shape) * (last.max() - first.min() + 1)
    inside = np.minimum(np.maximum(x, first), last) + apart
    found: Points = np.interp(inside.ravel(), (points + apart).ravel(), values.ravel())
    return found.reshape(inside.shape)


def _segments(height: int, width: int, chance: float) -> int:
    """Returns how many segments a crop has; `chance`, from 0 to 1, decides."""
    low, high = SEGMENT_SHARE
    return max(1, round(width / (height * (low + chance * (high - low)))))


@lru_cache(maxsize=1024)
def _distortions(segments: int) -> tuple[Points, Points]:
    """Returns the least and the largest moves of `distort`: to either side, but the four corners only come in."""
    low = np.full((2, 2, segments + 1), -DISTORT_SHARE / 2)
    low[:, 0, 0], low[:, 0, -1] = 0, -DISTORT_SHARE
    low[0, 1, [0, -1]], low[1, 1, [0, -1]] = 0, -DISTORT_SHARE
    return low, low + DISTORT_SHARE


@lru_cache(maxsize=1024)
def _points(width: int, segments: int) -> Points:
    """Returns where the segments end: segments + 1."""
    return np.linspace(0, width, segments + 1)


@lru_cache(maxsize=64)
def _down(height: int) -> Float:
    """Returns how far down the middle of each row is, from 0 to 1: height x 1."""
    return ((np.arange(height, dtype=np.float32) + np.float32(0.5)) / np.float32(height))[:, None]
