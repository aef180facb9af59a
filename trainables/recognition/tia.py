"""All geometry of a text crop in one resampling: TIA (Luo et al. 2020, Learn to augment), cut rows, rotation.

TIA moves control points on the upper and lower edge of the text. The paper carries the pixels between them along by
moving least squares; here they are carried along in straight lines, as columns: the result's column j shows a straight
segment of the crop, its Ends. That is 20 times quicker, never folds, and puts every control point where the paper does.
What comes into view from outside the crop is its border, repeated.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from trainables.augment import Pixels, rotation_matrix

Float = npt.NDArray[np.float32]
# 2 x 2 x width: where on the crop the upper (0) and the lower (1) end of each column of the result comes from, as x (0)
# and y (1) in pixels; pixel (0, 0) covers x and y from 0 to 1.
Ends = npt.NDArray[np.float64]
Points = npt.NDArray[np.float64]

SEGMENT_SHARE = (0.5, 1.0)  # of the height: how far control points are apart; 3 to 6 segments on a crop of 32 x 100
DISTORT_SHARE = 1 / 3  # of a segment (at most of the height): how far a point of the edges is moved
STRETCH_SHARE = 0.8  # of a segment: how far a point is moved along the text, half of it to either side
PERSPECTIVE_SHARE = 0.25  # of the height: how far a corner comes in; at PaddleOCR's half a side can vanish
CUT_SHARE = 0.15  # of the height: how many rows are cut off


@lru_cache(maxsize=256)
def unmoved(height: int, width: int) -> Ends:
    """The ends that show the crop as it is; read-only."""
    ends = np.empty((2, 2, width))
    ends[:, 0] = np.arange(width) + 0.5
    ends[0, 1], ends[1, 1] = 0.0, height
    ends.setflags(write=False)
    return ends


def draw_tia(ends: Ends, height: int, width: int, rng: np.random.Generator) -> Ends:
    """Distort, then stretch, then perspective, each as drawn from `rng`; `ends` are those of a crop not yet moved."""
    chance = rng.random(6)
    ends = perspective(ends, height, width, chance[:4] * (PERSPECTIVE_SHARE * height))
    count = _segments(height, width, chance[4])
    ends = stretch(ends, width, (rng.random(count - 1) - 0.5) * STRETCH_SHARE)
    count = _segments(height, width, chance[5])
    low, high = _distortions(count)
    return distort(ends, height, width, low + rng.random(low.shape) * (high - low))


def perspective(ends: Ends, height: int, width: int, depths: Points) -> Ends:
    """The corners (top left, top right, bottom left, bottom right) come in by `depths` pixels, below height / 2."""
    top_left, top_right, bottom_left, bottom_right = depths.tolist()
    across = unmoved(height, width)[0, 0] / width
    top = top_left + across * (top_right - top_left)
    bottom = (height - bottom_left) + across * (bottom_left - bottom_right)
    moved = ends.copy()
    moved[:, 1] -= top
    moved[:, 1] *= height / (bottom - top)
    return moved


def stretch(ends: Ends, width: int, moves: Points) -> Ends:
    """The n - 1 points between n equal segments move along the text by `moves` segments, each within (-0.5, 0.5)."""
    points = _points(width, len(moves) + 1)
    shifted = points.copy()
    shifted[1:-1] += moves * points[1]
    moved = ends.copy()
    moved[:, 0] = np.interp(ends[0, 0], shifted, points)
    return moved


def distort(ends: Ends, height: int, width: int, moves: Points) -> Ends:
    """The n + 1 ends of n segments on the upper and the lower edge move by `moves` (edge x axis x n + 1, in segments).

    A segment counts for no longer than the crop is high.
    """
    points = _points(width, moves.shape[-1] - 1)
    moves = moves * min(points[1], height)
    across, down = ends[0, 0], ends[:, 1] / height
    (upper_dx, upper_dy), (lower_dx, lower_dy) = moves
    upper_x, lower_x = np.interp(across, points + upper_dx, points), np.interp(across, points + lower_dx, points)
    upper_dy, lower_dy = np.interp(upper_x, points, upper_dy), np.interp(lower_x, points, lower_dy)
    moved = np.empty_like(ends)
    moved[:, 0] = upper_x + down * (lower_x - upper_x)
    moved[:, 1] = ends[:, 1] - (upper_dy + down * (lower_dy - upper_dy))
    return moved


def cut_rows(ends: Ends, height: int, rows: float) -> Ends:
    """Without its `rows` uppermost pixels, or without the lowest where `rows` is below 0."""
    moved = ends.copy()
    moved[:, 1] *= 1 - abs(rows) / height
    moved[:, 1] += max(rows, 0.0)
    return moved


def resample(image: Pixels, ends: Ends) -> Pixels:
    """The crop (height x width x 3, uint8) as the ends show it, of the same shape."""
    upper, lower = (ends - 0.5).astype(np.float32)  # cv2 counts from the first pixel's centre
    x, y = _down(len(image)) * (lower - upper)[:, None] + upper[:, None]  # each height x width
    whole, rest = cv2.convertMaps(x, y, cv2.CV_16SC2)  # both calls together take half of what cv2.remap(x, y) does
    moved: Pixels = cv2.remap(image, whole, rest, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved.reshape(image.shape)


def turn(ends: Ends, height: int, width: int, degrees: float) -> Ends:
    """Turned clockwise about the middle by `degrees`; by less where the ends of a long text would leave the crop."""
    most = np.rad2deg(np.arctan(height / width))
    back = rotation_matrix(height, width, -min(max(degrees, -most), most))
    turned: Ends = back[:2, :2] @ ends + back[:2, 2:]
    return turned


def _segments(height: int, width: int, chance: float) -> int:
    low, high = SEGMENT_SHARE
    return max(1, round(width / (height * (low + chance * (high - low)))))


@lru_cache(maxsize=1024)
def _distortions(segments: int) -> tuple[Points, Points]:
    """The least and the largest moves of `distort`: to either side, but the four corners only come in."""
    low = np.full((2, 2, segments + 1), -DISTORT_SHARE / 2)
    low[:, 0, 0], low[:, 0, -1] = 0, -DISTORT_SHARE
    low[0, 1, [0, -1]], low[1, 1, [0, -1]] = 0, -DISTORT_SHARE
    return low, low + DISTORT_SHARE


@lru_cache(maxsize=1024)
def _points(width: int, segments: int) -> Points:
    """Where the segments end: segments + 1."""
    return np.linspace(0, width, segments + 1)


@lru_cache(maxsize=64)
def _down(height: int) -> Float:
    """How far down the middle of each row is, from 0 to 1: height x 1."""
    return ((np.arange(height, dtype=np.float32) + np.float32(0.5)) / np.float32(height))[:, None]
