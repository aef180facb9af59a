"""Draws crops of a few digits, which a small recogniser learns to read in seconds."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

DIGITS = "1047"


def write_digits(root: Path, train: int = 80, others: int = 16, shortest: int = 1) -> Path:
    """Writes labels.csv and crops of `shortest` to three digits in dark ink; `others` each for val and test."""
    rows = []
    for number in range(train + 2 * others):
        rng = np.random.default_rng(number)
        text = "".join(rng.choice(list(DIGITS), size=rng.integers(shortest, 4)))
        paper = rng.integers(170, 256, (20, 50, 3), dtype=np.uint8)
        cv2.putText(paper, text, (int(rng.integers(1, 5)), 16), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (40, 40, 40), 2)
        cv2.imwrite(str(root / f"{number:03d}.png"), paper)
        split = "train" if number < train else "val" if number < train + others else "test"
        rows.append((f"{number:03d}.png", text, split))
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "text", "split"), *rows])
    return root
