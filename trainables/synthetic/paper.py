"""Draws paper in a picture: how a sheet bends and leans, what it lies on, the light, the faults of the camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pose:
    """Says where each point of a sheet is seen: two waves, each along one axis, then a plane seen in perspective.

    A wave along one axis is undone by subtracting it, so that the way back is exact too. Lengths are in picture pixels.
    """

    width: float  # of the sheet
    height: float
    across: tuple[float, float, float]  # wave of the sides, which varies with y: amplitude, period, phase
    down: tuple[float, float, float]  # wave of the lines, which varies with x: amplitude, period, phase
    plane: npt.NDArray[np.float64]  # 3 x 3, waved sheet to picture

    def to_picture(self, points: Float) -> Float:
        """Maps points of the sheet (N x 2, from its top left corner) to points of the picture (N x 2)."""
        x = points[:, 0] + _wave(points[:, 1], self.across)
        y = points[:, 1] + _wave(x, self.down)
        seen = np.stack((x, y, np.ones_like(x)), axis=1) @ self.plane.T
        return (seen[:, :2] / seen[:, 2:]).astype(np.float32)

    def to_sheet(self, side: int) -> tuple[Float, Float]:
        """Returns the x and y on the sheet that each pixel of a `side` x `side` picture shows: side x side each."""
        back = np.linalg.inv(self.plane).astype(np.float32)
        centre = np.arange(side, dtype=np.float32) + np.float32(0.5)
        px, py = centre[None, :], centre[:, None]
        depth = back[2, 0] * px + (back[2, 1] * py + back[2, 2])
        x = (back[0, 0] * px + (back[0, 1] * py + back[0, 2])) / depth
        y = (back[1, 0] * px + (back[1, 1] * py + back[1, 2])) / depth
        y -= _wave(x, self.down)
        x -= _wave(y, self.across)
        return x, y

    def polygon(self, left: float, top: float, right: float, bottom: float) -> Float:
        """Returns a box of the sheet as seen: N x 2, clockwise from the top left; N is above 4 where it is bent."""
        bend = abs(self.down[0]) * (1 - np.cos(np.pi * min(1.0, (right - left) / self.down[1])))
        count = 2 if bend < 0.25 else 2 + int(np.ceil((right - left) / (self.down[1] / 12)))
        x = np.linspace(left, right, count, dtype=np.float32)
        upper = np.stack((x, np.full(count, top, np.float32)), axis=1)
        lower = np.stack((x[::-1], np.full(count, bottom, np.float32)), axis=1)
        return self.to_picture(np.concatenate((upper, lower)))


def draw_pose(rng: np.random.Generator, width: float, height: float, side: int, hardness: float) -> Pose:
    """Places a whole sheet in a picture of `side` pixels: the harder, the more it is turned, leant and waved."""
    wave = hardness * side / 256
    across = (rng.uniform(-2.0, 2.0) * wave, rng.uniform(0.7, 2.0) * height, rng.uniform(0, 6.28))
    down = (rng.uniform(-3.0, 3.0) * wave, rng.uniform(0.8, 2.5) * width, rng.uniform(0, 6.28))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    angle = np.deg2rad(rng.normal(0, 1 + 9 * hardness))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    lean = rng.uniform(-1, 1, size=(4, 2)) * 0.08 * hardness * np.array([width, height])
    seen = (corners - corners.mean(axis=0) + lean) @ turn.T
    reach = np.ptp(seen, axis=0)
    margin = 4 * side / 256 + abs(across[0]) + abs(down[0])
    seen *= min(1.0, float(((side - 2 * margin) / reach).min()))
    low, high = margin - seen.min(axis=0), side - margin - seen.max(axis=0)
    seen += low + (high - low) * rng.uniform(0, 1, size=2)
    plane = cv2.getPerspectiveTransform(corners.astype(np.float32), seen.astype(np.float32))
    return Pose(width, height, across, down, plane)


def soft_noise(rng: np.random.Generator, height: int, width: int, cells: tuple[int, int]) -> Float:
    """Draws smooth noise of about -1 to 1, height x width, with `cells` (down, across) bumps."""
    coarse = rng.standard_normal((max(2, cells[0]), max(2, cells[1])), dtype=np.float32) * np.float32(0.5)
    noise: Float = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return noise


def draw_table(rng: np.random.Generator, side: int, hardness: float) -> Float:
    """Draws what the sheet lies on, side x side x 3, from 0 to 1: bare, grained, woven, tiled or strewn with things."""
    base = rng.uniform(0.08, 0.75) * rng.uniform(0.75, 1.25, size=3)
    table = np.empty((side, side, 3), np.float32)
    table[:] = base
    kind = rng.integers(5)
    if kind == 1:
        grain = soft_noise(rng, side, side, (int(rng.integers(20, 60)), 3))
        _texture(table, grain if rng.random() < 0.5 else grain.T, 0.25)
    elif kind == 2:
        axis = np.arange(side, dtype=np.float32) * np.float32(rng.uniform(0.6, 2.0))
        _texture(table, np.sin(axis)[:, None] * np.sin(axis)[None, :], 0.12)
    elif kind == 3:
        period = int(rng.integers(side // 8, side // 3))
        tiles = (np.arange(side)[:, None] // period + np.arange(side)[None, :] // period) % 2
        _texture(table, tiles.astype(np.float32), float(rng.uniform(-0.3, 0.3)))
    elif kind == 4:
        for _ in range(int(rng.integers(2, 7))):
            _thing(rng, table)
    _texture(table, soft_noise(rng, side, side, (6, 6)), 0.15)
    _texture(table, rng.standard_normal((side, side), dtype=np.float32), 0.05 * (0.3 + hardness))
    return np.clip(table, 0, 1, out=table)


def _texture(table: Float, pattern: Float, strength: float) -> None:
    """Makes the table brighter and darker by a pattern."""
    table *= (1 + np.float32(strength) * pattern)[:, :, None]


def _thing(rng: np.random.Generator, table: Float) -> None:
    """Draws a disc or a box on the table."""
    side = table.shape[0]
    color = rng.uniform(0, 1, size=3).tolist()
    centre = tuple(int(c) for c in rng.uniform(0, side, size=2))
    size = tuple(int(s) for s in rng.uniform(0.05, 0.35, size=2) * side)
    if rng.random() < 0.4:
        cv2.circle(table, centre, max(2, size[0] // 2), color, -1, cv2.LINE_AA)
        return
    corners = cv2.boxPoints((centre, size, float(rng.uniform(0, 180))))
    cv2.fillPoly(table, [np.rint(corners).astype(np.int32)], color, lineType=cv2.LINE_AA)


def shade_sheet(rng: np.random.Generator, height: int, width: int, hardness: float) -> Float:
    """Draws how bright a worn sheet is, height x width, about 1: uneven, with folds across and crumples."""
    shade = 1 + np.float32(0.05 + 0.06 * hardness) * soft_noise(rng, height, width, (5, 4))
    y = np.arange(height, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None, :]
    for _ in range(rng.poisson(1.0 + 2.0 * hardness)):
        angle = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.1) if rng.random() < 0.7 else rng.uniform(0, np.pi)
        at = rng.uniform(0.15, 0.85, size=2) * (width, height)
        sin, cos = np.float32(np.sin(angle)), np.float32(np.cos(angle))
        distance = (x - np.float32(at[0])) * sin + (y - np.float32(at[1])) * cos
        depth = np.float32(rng.uniform(0.05, 0.25) * hardness * rng.choice([-1, 1]))
        fold = np.exp(-np.abs(distance) / np.float32(rng.uniform(0.01, 0.06) * width))
        shade += depth * fold * np.sign(distance)
    return shade


def draw_light(rng: np.random.Generator, side: int, hardness: float) -> Float:
    """Draws how much light falls where, side x side, from 0 to 1: a slope, and shadows with soft edges."""
    axis = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    slope = rng.uniform(-0.35, 0.35, size=2) * hardness
    light = 1 + np.float32(slope[0]) * axis[None, :] + np.float32(slope[1]) * axis[:, None]
    for _ in range(rng.binomial(2, 0.7 * hardness)):
        shadow = np.zeros((side // 4, side // 4), np.float32)
        start = rng.uniform(-0.2, 1.2, size=2)
        angles = np.sort(rng.uniform(0, 2 * np.pi, size=6))
        reach = rng.uniform(0.2, 0.8, size=6)
        points = (start + np.stack((np.cos(angles) * reach, np.sin(angles) * reach), axis=1)) * (side // 4)
        cv2.fillPoly(shadow, [np.rint(points).astype(np.int32)], 1.0)
        shadow = cv2.GaussianBlur(shadow, (0, 0), float(rng.uniform(0.5, 4)))
        light *= 1 - np.float32(rng.uniform(0.15, 0.6) * hardness) * cv2.resize(shadow, (side, side))
    light *= np.float32(1 - 0.3 * hardness * rng.random())
    return np.clip(light, 0.1, 1, out=light)


def photograph(rng: np.random.Generator, scene: Float, hardness: float) -> Pixels:
    """Takes a picture of a scene (height x width x 3, 0 to 1) as a cheap camera does: blur, noise, 8 bits, JPEG."""
    unit = scene.shape[0] / 256
    if rng.random() < 0.7 * hardness:
        scene = cv2.GaussianBlur(scene, (0, 0), float(rng.uniform(0.3, 0.4 + 0.9 * hardness)) * unit)
    if rng.random() < 0.3 * hardness:
        scene = shake(rng, scene, rng.uniform(1.5, 4) * unit)
    noise = rng.standard_normal(scene.shape[:2], dtype=np.float32)
    scene = scene + (np.float32(rng.uniform(0.003, 0.006 + 0.06 * hardness)) * noise)[:, :, None]
    picture = cv2.convertScaleAbs(np.maximum(scene, 0, out=scene), alpha=255)  # This rounds, and clips at 255.
    quality = int(rng.uniform(95 - 70 * hardness, 96))
    _, packed = cv2.imencode(".jpg", picture[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB), np.uint8)


def shake(rng: np.random.Generator, scene: Float, length: float) -> Float:
    """Blurs the scene along a line of `length` pixels, as a camera does that moves."""
    size = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((size, size), np.float32)
    middle, angle = size // 2, rng.uniform(0, np.pi)
    reach = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    start, end = (tuple(np.rint(middle + sign * reach).astype(int).tolist()) for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA)
    shaken: Float = cv2.filter2D(scene, -1, kernel / kernel.sum())
    return shaken


def _wave(along: Float, wave: tuple[float, float, float]) -> Float:
    """Returns the height of a wave (amplitude, period, phase) at these places."""
    amplitude, period, phase = wave
    waved: Float = np.float32(amplitude) * np.sin(along * np.float32(2 * np.pi / period) + np.float32(phase))
    return waved
