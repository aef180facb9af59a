"""Draws pictures of what a detector finds and misses, to be understood at a glance."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from trainables.detection.config import Config
from trainables.detection.dataset import Page, load_pages
from trainables.detection.metrics import Matching, Score, match
from trainables.detection.postprocess import Detections
from trainables.detection.training import detect_pages, load_detector
from trainables.trainable import Run

Pixels = npt.NDArray[np.uint8]

PICTURES = 4
LOOKED_AT = 40  # pages of which the pictures are chosen
SIDES = (640, 560, 480, 400, 320)  # px of the longer side; the first one whose file is small enough is taken
MOST_BYTES = 150_000
FOUND, MISSED, DETECTED, IGNORED = COLOURS = (60, 160, 40), (40, 30, 215), (10, 130, 245), (200, 120, 90)  # B, G, R
CAPTION = 20  # px that the caption is high
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.42


@dataclass(frozen=True)
class Scene:
    """Holds a page with what was found on it."""

    page: Page
    detections: Detections
    matching: Matching

    @property
    def score(self) -> Score:
        """Returns the counts of this page."""
        matching = self.matching
        return Score(len(matching.pairs), int(matching.counted_texts.sum()), int(matching.counted_detections.sum()))


def draw_examples(config: Config, run: Run, directory: Path) -> None:
    """Writes at most 4 PNG files into `directory`: of the first val pages the worst, the best, and two between.

    Texts that were found are green, missed ones filled red, ignored ones blue; detections are orange.
    """
    model, epoch = load_detector(config, run)
    pages = load_pages(run.data, "val")[:LOOKED_AT]
    found = detect_pages(model, pages, config, run, epoch)
    scenes = [Scene(p, f, match(p.polygons, p.ignore, f.polygons)) for p, f in zip(pages, found, strict=True)]
    directory.mkdir(parents=True, exist_ok=True)
    for place, scene in enumerate(choose(scenes), start=1):
        name = re.sub(r"[^\w.-]+", "_", Path(scene.page.name).stem)
        (directory / f"{place}-{name}.png").write_bytes(draw_small(scene))


def choose(scenes: Sequence[Scene]) -> list[Scene]:
    """Returns scenes from the worst to the best, evenly spaced, at most PICTURES."""
    ordered = sorted(scenes, key=lambda scene: scene.score.hmean)
    places = np.linspace(0, len(ordered) - 1, min(PICTURES, len(ordered))).round().astype(int)
    return [ordered[place] for place in places]


def draw_small(scene: Scene) -> bytes:
    """Returns the picture as PNG, as large as MOST_BYTES allow."""
    image = scene.page.read()
    encoded = b""
    for side in SIDES:
        encoded = encode(draw(scene, image, side))
        if len(encoded) <= MOST_BYTES:
            break
    return encoded


def encode(picture: Pixels) -> bytes:
    """Returns a BGR picture as PNG in 16 greys and shades of the four colours, which takes a third of the bytes."""
    greys = np.linspace(0, 255, 16)[:, None] * np.ones(3)
    shades = [np.array(colour) * share + greys[1::3] * (1 - share) for colour in COLOURS for share in (0.35, 0.7, 1.0)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([greys, *shades])[:, ::-1].round().astype(np.uint8).tobytes())
    file = io.BytesIO()
    image = Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def draw(scene: Scene, image: Pixels, side: int) -> Pixels:
    """Draws the page (RGB) with its polygons and a caption; returns BGR whose longer side has `side` pixels."""
    page, matching = scene.page, scene.matching
    scale = side / max(image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    gray = cv2.cvtColor(cv2.resize(image, None, fx=scale, fy=scale, interpolation=method), cv2.COLOR_RGB2GRAY)
    canvas = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    texts = [_pixels(polygon, scale) for polygon in page.polygons]
    found = {text for text, _ in matching.pairs}
    missed = [t for i, t in enumerate(texts) if matching.counted_texts[i] and i not in found]
    tint = canvas.copy()
    for polygon in missed:
        cv2.fillPoly(tint, [polygon], MISSED)
    canvas = cv2.addWeighted(tint, 0.35, canvas, 0.65, 0)
    ignored = [t for i, t in enumerate(texts) if not matching.counted_texts[i]]
    cv2.polylines(canvas, ignored, True, IGNORED, 1, cv2.LINE_AA)
    cv2.polylines(canvas, [_pixels(p, scale) for p in scene.detections.polygons], True, DETECTED, 2, cv2.LINE_AA)
    cv2.polylines(canvas, [texts[i] for i in sorted(found)], True, FOUND, 1, cv2.LINE_AA)
    cv2.polylines(canvas, missed, True, MISSED, 1, cv2.LINE_AA)
    return _with_caption(canvas, scene.score)


def _with_caption(canvas: Pixels, score: Score) -> Pixels:
    """Adds a strip that says how many texts were found (green), missed (red), and detected wrongly (orange)."""
    strip = np.full((CAPTION, max(canvas.shape[1], 280), 3), 255, np.uint8)
    false = score.detections - score.matched
    words = (
        (f"{score.matched} found", FOUND),
        (f"{score.texts - score.matched} missed", MISSED),
        (f"{false} false of {score.detections} detected", DETECTED),
    )
    x = 6
    for text, colour in words:
        cv2.putText(strip, text, (x, CAPTION - 6), FONT, FONT_SCALE, colour, 1, cv2.LINE_AA)
        x += cv2.getTextSize(text, FONT, FONT_SCALE, 1)[0][0] + 14
    margin = strip.shape[1] - canvas.shape[1]
    page = cv2.copyMakeBorder(canvas, 0, 0, 0, margin, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    return np.vstack([page, strip])


def _pixels(polygon: npt.NDArray[np.float32], scale: float) -> npt.NDArray[np.int32]:
    """Returns the polygon as cv2 draws it: pixel indices of the scaled picture."""
    return np.rint(polygon * scale - 0.5).astype(np.int32)
