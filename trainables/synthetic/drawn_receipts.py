"""Sets of drawn receipts, each drawn once per machine and kept on disk, so that trials need not draw again."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainables.synthetic import DRAWING_VERSION
from trainables.synthetic.paper import Float, Pixels
from trainables.synthetic.receipts import draw_receipt

_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class ReceiptSet:
    """Drawn receipts: for each page its text polygons (N x 2, pixels) and texts, and its image in a mapped file."""

    folder: Path
    polygons: tuple[tuple[Float, ...], ...]
    texts: tuple[tuple[str, ...], ...]

    def image(self, index: int) -> Pixels:
        """Size x size x 3, uint8 RGB."""
        return np.array(_mapped_images(self.folder)[index])


def cache_folder() -> Path:
    """$NIGHTSWEEP_CACHE, else `nightsweep` in the user's cache folder, else (read-only) in the temp folder."""
    if chosen := os.environ.get("NIGHTSWEEP_CACHE"):
        return Path(chosen)
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nightsweep"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: this user has no home
        pass
    return Path(tempfile.gettempdir()) / f"nightsweep-{os.getuid()}"


@lru_cache(maxsize=16)
def drawn_receipts(split: str, count: int, size: int, seed: int, hardness: float) -> ReceiptSet:
    """`count` receipts of a split; the first ones are the same whatever `count` is. Raises FontsMissing, OSError."""
    name = f"receipts-{DRAWING_VERSION}-{split}-{count}-{size}px-seed{seed}-hardness{hardness:g}"
    folder = cache_folder() / name
    receipts = _load(folder, count)
    if receipts is None:
        _draw(folder, split, count, size, seed, hardness)
        receipts = _load(folder, count)
    if receipts is None:
        raise OSError(f"{folder}: must hold the receipts just drawn, but cannot be read; is the disk full?")
    return receipts


def _draw(folder: Path, split: str, count: int, size: int, seed: int, hardness: float) -> None:
    """Draws into a folder beside, then renames: whoever finds `folder` finds it whole, and the first of two wins."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        images = np.lib.format.open_memmap(beside / "images.npy", "w+", np.uint8, (count, size, size, 3))
        labels = []
        for index in range(count):
            rng = np.random.default_rng((seed, _SPLITS.index(split), index))
            images[index], polygons, texts = draw_receipt(rng, size, hardness)
            labels.append({"polygons": [polygon.tolist() for polygon in polygons], "texts": texts})
        images.flush()
        (beside / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
        if folder.exists() and _load(folder, count) is None:
            shutil.rmtree(folder, ignore_errors=True)  # half a folder, left by a power cut
        try:
            beside.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _load(folder: Path, count: int) -> ReceiptSet | None:
    """The set in `folder`, None where there is none or not a whole one."""
    try:
        labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        images = np.load(folder / "images.npy", mmap_mode="r")
        if len(labels) != count or len(images) != count:
            return None
        polygons = tuple(tuple(np.asarray(p, np.float32) for p in page["polygons"]) for page in labels)
        return ReceiptSet(folder, polygons, tuple(tuple(page["texts"]) for page in labels))
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


@lru_cache(maxsize=16)
def _mapped_images(folder: Path) -> npt.NDArray[np.uint8]:
    images: npt.NDArray[np.uint8] = np.load(folder / "images.npy", mmap_mode="r")
    return images
