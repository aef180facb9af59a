"""Draws what stands between a plate and its reader: dirt, shadow, night and headlights, fog, a cheap camera far away.

Every function takes a scene (height x width x 3, float32 from 0 to 1), may change it in place, and returns it.
"""

from __future__ import annotations

import cv2
import numpy as np

from trainables.synthetic.paper import Float, Pixels, shake, soft_noise


def soil(rng: np.random.Generator, plate: Float, hardness: float) -> Float:
    """Adds dust all over, mud in patches, more of it below, and scratches."""
    height, width = plate.shape[:2]
    if rng.random() < 0.15 + 0.5 * hardness:
        patches = soft_noise(rng, height, width, (4, int(rng.integers(6, 14))))
        patches += np.linspace(-0.4, 0.5, height, dtype=np.float32)[:, None]
        patches -= np.float32(rng.uniform(0.0, 0.5))
        np.clip(patches, 0, 1, out=patches)
        mud = np.array(rng.uniform((0.25, 0.2, 0.14), (0.5, 0.42, 0.34)), np.float32)
        plate += (np.float32(min(1.0, rng.uniform(0.5, 1.6) * hardness)) * patches)[:, :, None] * (mud - plate)
    for _ in range(rng.poisson(1.2 * hardness)):
        (x, y), angle = rng.uniform(0, (width, height)), rng.uniform(0, 2 * np.pi)
        end = (int(x + height * np.cos(angle)), int(y + 0.5 * height * np.sin(angle)))
        cv2.line(plate, (int(x), int(y)), end, rng.uniform(0.3, 0.8, size=3).tolist(), 1, cv2.LINE_AA)
    return plate


def light(rng: np.random.Generator, scene: Float, hardness: float) -> Float:
    """Lights the scene by day, with a slope and shadows, or by night, with a lamp, headlights or infrared."""
    axis = np.linspace(-0.5, 0.5, scene.shape[1], dtype=np.float32)
    level = 1 + np.float32(rng.uniform(-0.4, 0.4) * hardness) * axis
    scene *= level[:, None]
    if rng.random() < 0.5 * hardness:
        _cast_shadow(rng, scene, hardness)
    if rng.random() < 0.4 * hardness:
        _night(rng, scene, hardness)
    elif rng.random() < 0.15 * hardness:  # fog, or rain on the lens
        scene += np.float32(rng.uniform(0.2, 0.6)) * (np.float32(rng.uniform(0.6, 0.8)) - scene)
    else:
        scene *= np.float32(rng.uniform(1 - 0.35 * hardness, 1 + 0.25 * hardness))
        scene *= rng.uniform(1 - 0.12 * hardness, 1 + 0.12 * hardness, size=3).astype(np.float32)  # white balance
    return scene


def photograph_from_afar(rng: np.random.Generator, scene: Float, hardness: float) -> Pixels:
    """Takes a picture as a traffic camera does: few pixels, out of focus, moved, noisy, 8 bits, JPEG."""
    height, width = scene.shape[:2]
    if rng.random() < 0.6 * hardness:
        less = 1 / rng.uniform(1, 1 + 0.9 * hardness)
        few = (max(8, round(width * less)), max(8, round(height * less)))
        scene = cv2.resize(cv2.resize(scene, few, interpolation=cv2.INTER_AREA), (width, height))
    if rng.random() < 0.2 + 0.4 * hardness:
        scene = cv2.GaussianBlur(scene, (0, 0), height / 32 * rng.uniform(0.3, 0.45 + 0.55 * hardness))
    if rng.random() < 0.3 * hardness:
        scene = shake(rng, scene, height / 32 * rng.uniform(1.5, 1.5 + 2.5 * hardness))
    dark = 1 - float(scene.mean())  # A camera amplifies what light there is, noise included.
    sigma = rng.uniform(0.004, 0.01 + 0.06 * hardness * dark)
    scene = scene + np.float32(sigma) * rng.standard_normal(scene.shape, dtype=np.float32)
    picture = cv2.convertScaleAbs(np.maximum(scene, 0, out=scene), alpha=255)  # This rounds, and clips at 255.
    quality = int(rng.uniform(95 - 65 * hardness, 96))
    _, packed = cv2.imencode(".jpg", picture[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB), np.uint8)


def _cast_shadow(rng: np.random.Generator, scene: Float, hardness: float) -> None:
    """Puts a half plane in shadow: of the bumper above, or of a post beside."""
    height, width = scene.shape[:2]
    angle = rng.normal(0, 0.15) + (np.pi / 2 if rng.random() < 0.6 else 0.0)
    x, y = np.arange(width, dtype=np.float32)[None, :], np.arange(height, dtype=np.float32)[:, None]
    at = rng.uniform(0.15, 0.85, size=2) * (width, height)
    side = (x - np.float32(at[0])) * np.float32(np.cos(angle)) + (y - np.float32(at[1])) * np.float32(np.sin(angle))
    side *= np.float32(rng.choice((-1, 1)) / rng.uniform(0.5, 3))
    scene *= (1 - np.float32(rng.uniform(0.2, 0.65) * hardness) * np.clip(side, 0, 1))[:, :, None]


def _night(rng: np.random.Generator, scene: Float, hardness: float) -> None:
    """Darkens the scene, by lamplight or infrared, and may add headlights."""
    if rng.random() < 0.35:  # Infrared has no colour.
        scene[:] = scene.mean(axis=2, keepdims=True)
    else:
        scene *= rng.uniform((0.85, 0.75, 0.5), (1.0, 1.0, 1.0)).astype(np.float32)  # Lamps are yellow.
    scene *= np.float32(rng.uniform(0.65 - 0.45 * hardness, 0.7))
    if rng.random() < 0.6:
        _glare(rng, scene, hardness)


def _glare(rng: np.random.Generator, scene: Float, hardness: float) -> None:
    """Adds headlights beside the plate or reflected by it, with a halo."""
    height, width = scene.shape[:2]
    x, y = rng.uniform(-0.2, 1.2) * width, rng.uniform(-0.6, 1.4) * height
    x_off = np.arange(width, dtype=np.float32) - np.float32(x)
    y_off = np.arange(height, dtype=np.float32)[:, None] - np.float32(y)
    reach = np.float32(rng.uniform(0.4, 1.2) * height)
    halo = np.float32(rng.uniform(0.3, 0.5 + 0.7 * hardness)) / (1 + (x_off**2 + y_off**2) / reach**2)
    scene += halo[:, :, None] * rng.uniform((0.9, 0.85, 0.7), 1.0, size=3).astype(np.float32)
