"""Draws pages of dark bars on light paper, which a small detector learns to find in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np


def write_bars(root: Path, train: int = 8, others: int = 4) -> Path:
    """Writes annotations.json and pages of two to four bars each; `others` each for val and test."""
    (root / "images").mkdir(parents=True)
    entries = []
    for number in range(train + 2 * others):
        rng = np.random.default_rng(number)
        image = rng.integers(200, 256, (120, 96, 3), dtype=np.uint8)
        instances = []
        for row in range(rng.integers(2, 5)):
            x, y, width = int(rng.integers(5, 30)), 12 + 26 * row, int(rng.integers(30, 60))
            image[y : y + 12, x : x + width] //= 6
            points = [[x, y], [x + width, y], [x + width, y + 12], [x, y + 12]]
            instances.append({"points": points, "transcription": "bar", "ignore": False})
        name = f"images/{number:03d}.png"
        cv2.imwrite(str(root / name), image)
        split = "train" if number < train else "val" if number < train + others else "test"
        entries.append({"image": name, "width": 96, "height": 120, "split": split, "instances": instances})
    (root / "annotations.json").write_text(json.dumps(entries))
    return root
