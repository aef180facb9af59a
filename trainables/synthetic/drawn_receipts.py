"""Draws sets of receipts, each once per machine, and keeps them on disk so that trials need not draw again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from trainables.data.disk_cache import cache_folder, load_or_make
from trainables.data.pixel_store import PixelStore, open_pixels, write_pixels
from trainables.data.splits import SPLITS, Split
from trainables.synthetic import DRAWING_VERSION
from trainables.synthetic.paper import Float, Pixels
from trainables.synthetic.receipts import draw_receipt


@dataclass(frozen=True, eq=False)
class ReceiptSet:
    """Holds drawn receipts: of each page its text polygons (N x 2, pixels), its texts, and its mapped image."""

    pixels: PixelStore
    polygons: tuple[tuple[Float, ...], ...]
    texts: tuple[tuple[str, ...], ...]

    def image(self, index: int) -> Pixels:
        """Returns size x size x 3, uint8 RGB."""
        return self.pixels.read(index)


@lru_cache(maxsize=16)
def drawn_receipts(split: Split, count: int, size: int, seed: int, hardness: float) -> ReceiptSet:
    """Returns `count` receipts of a split; the first ones do not depend on `count`. Raises FontsMissing, OSError."""
    folder = cache_folder() / f"receipts-{DRAWING_VERSION}-{split}-{count}-{size}px-seed{seed}-hardness{hardness:g}"
    return load_or_make(folder, lambda made: _load(made, count), partial(_draw, split, count, size, seed, hardness))


def _draw(split: Split, count: int, size: int, seed: int, hardness: float, folder: Path) -> None:
    """Draws the receipts into `folder`."""
    labels = []

    def pages() -> Iterator[Pixels]:
        for index in range(count):
            rng = np.random.default_rng((seed, SPLITS.index(split), index))
            image, polygons, texts = draw_receipt(rng, size, hardness)
            labels.append({"polygons": [polygon.tolist() for polygon in polygons], "texts": texts})
            yield image

    write_pixels(folder, pages())
    (folder / "labels.json").write_text(json.dumps(labels), encoding="utf-8")


def _load(folder: Path, count: int) -> ReceiptSet | None:
    """Returns the set in `folder`; None where there is none, or not a whole one."""
    pixels = open_pixels(folder, count)
    try:
        labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        if pixels is None or len(labels) != count:
            return None
        polygons = tuple(tuple(np.asarray(p, np.float32) for p in page["polygons"]) for page in labels)
        return ReceiptSet(pixels, polygons, tuple(tuple(page["texts"]) for page in labels))
    except (OSError, ValueError, KeyError, TypeError):
        return None
