"""Draws sets of licence plates, each once per machine, and keeps them on disk so that trials need not draw again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count as count_from
from pathlib import Path

import numpy as np

from trainables.data.disk_cache import cache_folder, load_or_make
from trainables.data.image_file import Pixels
from trainables.data.pixel_store import PixelStore, open_pixels, write_pixels
from trainables.data.splits import SPLITS, Split, drawn_sizes
from trainables.synthetic import PLATE_DRAWING_VERSION
from trainables.synthetic.plate_layout import LETTERS, REGIONS
from trainables.synthetic.plates import draw_plate

CHARACTERS = "".join(sorted({*"0123456789", *LETTERS, *"".join(REGIONS)}))  # all that a plate can say
_TEXTS = "texts.json"


@dataclass(frozen=True, eq=False)
class PlateSet:
    """Holds drawn plates of all splits: what each says, and its picture at its own size.

    name: says what determines the drawing. texts: by split. pixels: of all splits, one after another in their order.
    """

    name: str
    texts: Mapping[Split, tuple[str, ...]]
    pixels: PixelStore


@lru_cache(maxsize=4)
def drawn_plates(crops: int, seed: int, hardness: float) -> PlateSet:
    """Returns `crops` plates of train and 3 of 10 as many of val and test, no text twice. Raises FontsMissing."""
    folder = cache_folder() / f"plates-{PLATE_DRAWING_VERSION}-{crops}-seed{seed}-hardness{hardness:g}"
    return load_or_make(folder, lambda made: _load(made, crops), partial(_draw, crops, seed, hardness))


def _draw(crops: int, seed: int, hardness: float, folder: Path) -> None:
    """Draws all splits into `folder`."""
    texts: dict[str, Split] = {}

    def pictures() -> Iterator[Pixels]:
        for split, size in drawn_sizes(crops).items():
            for index in range(size):
                for attempt in count_from():
                    rng = np.random.default_rng((seed, SPLITS.index(split), index, attempt))
                    image, text = draw_plate(rng, hardness=hardness)
                    if text not in texts:
                        break
                texts[text] = split
                yield image

    write_pixels(folder, pictures())
    by_split = {split: [text for text, of in texts.items() if of == split] for split in SPLITS}
    (folder / _TEXTS).write_text(json.dumps(by_split), encoding="utf-8")


def _load(folder: Path, crops: int) -> PlateSet | None:
    """Returns the set in `folder`; None where there is none, or not a whole one."""
    sizes = drawn_sizes(crops)
    try:
        by_split = json.loads((folder / _TEXTS).read_text(encoding="utf-8"))
        texts = {split: tuple(by_split[split]) for split in SPLITS}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    pixels = open_pixels(folder, sum(sizes.values()))
    if pixels is None or {split: len(found) for split, found in texts.items()} != sizes:
        return None
    return PlateSet(folder.name, texts, pixels)
