"""Stores many small pictures in one file that is mapped into memory: all processes of a machine share its pages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainables.data.image_file import Pixels

PIXELS = "pixels.bin"  # the pictures one after another: height x width x 3, uint8 RGB
SHAPES = "shapes.npy"  # N x 2, int32: height and width of each
LONGEST = 2**15  # px of a side; larger ones, in a file that somebody else wrote, could overflow

Shapes = npt.NDArray[np.int32]


class PixelStore:
    """Reads pictures by index. Of pictures in a file, another process receives the name and not the content."""

    def __init__(self, shapes: Shapes, pixels: Path | npt.NDArray[np.uint8]) -> None:
        """Takes pictures that lie one after another.

        shapes: N x 2 (height, width). pixels: all pictures, flat, in memory or in a file.
        """
        self.shapes = shapes
        self._pixels = pixels
        self._ends = np.cumsum(shapes.prod(axis=1, dtype=np.int64) * 3)
        self._uniform = len(shapes) > 0 and bool((shapes == shapes[0]).all())

    @property
    def on_disk(self) -> bool:
        """Returns whether the pixels are in a file."""
        return isinstance(self._pixels, Path)

    def __len__(self) -> int:
        return len(self.shapes)

    def read(self, index: int) -> Pixels:
        """Returns a copy of one picture, height x width x 3, uint8."""
        return np.array(self._view(index))

    def read_batch(self, indices: Sequence[int]) -> Sequence[Pixels]:
        """Returns copies of some pictures; one array, B x H x W x 3, where all pictures of the store have one shape."""
        if self._uniform:
            height, width = self.shapes[0]
            batch: Pixels = self._flat().reshape(-1, height, width, 3)[indices]
            return batch  # type: ignore[return-value]  # an array is a sequence of its rows
        return [self.read(index) for index in indices]

    def _view(self, index: int) -> Pixels:
        height, width = self.shapes[index]
        end = self._ends[index]
        view: Pixels = self._flat()[end - height * width * 3 : end].reshape(height, width, 3)
        return view

    def _flat(self) -> npt.NDArray[np.uint8]:
        return _mapped(self._pixels) if isinstance(self._pixels, Path) else self._pixels


def write_pixels(folder: Path, images: Iterable[Pixels]) -> None:
    """Writes the pictures into `folder`, one at a time. Raises OSError, also for a full disk."""
    shapes = []
    # Written and not mapped: on a full disk this raises OSError, where a mapped file would kill the process.
    with (folder / PIXELS).open("wb") as file:
        for image in images:
            shapes.append(image.shape[:2])
            file.write(np.ascontiguousarray(image).data)
        file.flush()
        os.fsync(file.fileno())
    with (folder / SHAPES).open("wb") as file:
        np.save(file, np.asarray(shapes, np.int32).reshape(-1, 2))
        file.flush()
        os.fsync(file.fileno())


def open_pixels(folder: Path, count: int) -> PixelStore | None:
    """Opens the `count` pictures that write_pixels wrote into `folder`; None where they are not there, or not all."""
    try:
        # Mapped, so that a header that promises more than the file holds allocates nothing.
        found = np.load(folder / SHAPES, mmap_mode="r", allow_pickle=False)
        size = (folder / PIXELS).stat().st_size
    except (OSError, EOFError, ValueError):
        return None
    if not isinstance(found, np.ndarray) or found.dtype != np.int32 or found.shape != (count, 2):
        return None
    shapes: Shapes = np.array(found)
    sound = bool(((shapes > 0) & (shapes <= LONGEST)).all())
    if not sound or size != int(shapes.prod(axis=1, dtype=np.int64).sum()) * 3:
        return None
    return PixelStore(shapes, folder / PIXELS)


def hold_pixels(images: Iterable[Pixels]) -> PixelStore:
    """Keeps the pictures in memory."""
    kept = list(images)
    shapes = np.asarray([image.shape[:2] for image in kept], np.int32).reshape(-1, 2)
    return PixelStore(shapes, np.concatenate([image.ravel() for image in kept] or [np.zeros(0, np.uint8)]))


@lru_cache(maxsize=16)
def _mapped(file: Path) -> npt.NDArray[np.uint8]:
    # Indexing the subclass memmap takes three times as long as indexing a plain array.
    """Returns all pixels of the file, flat; each process maps a file once."""
    return np.memmap(file, np.uint8, "r").view(np.ndarray) if file.stat().st_size else np.zeros(0, np.uint8)
