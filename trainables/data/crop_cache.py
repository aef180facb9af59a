"""Crops as a network takes them, decoded and resized once per machine and shared by all its trials."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Protocol

import cv2

from trainables.data.disk_cache import cache_folder, load_or_make, remove_disused, touch
from trainables.data.image_file import BadImage, Pixels
from trainables.data.label_mistakes import SHOWN
from trainables.data.pixel_store import PixelStore, hold_pixels, open_pixels, write_pixels

RESIZING_VERSION = 1  # raise it whenever the same file gives other pixels: what is kept on disk is then made anew
_CHUNK = 1024  # crops in memory at once while they are decoded
_THREADS = 8
_KEY_DIGITS = 32


class CropSource(Protocol):
    """Where the pixels of a crop come from."""

    def read(self) -> Pixels:
        """Height x width x 3, uint8 RGB. Raises BadImage."""

    def identity(self) -> str:
        """A text that changes when the pixels do. Raises OSError."""


@dataclass(frozen=True)
class CropSize:
    """Pixels that crops are resized to; with width 0 the proportions are kept, from min_width to max_width."""

    height: int
    width: int = 0
    max_width: int = 1024
    min_width: int = 8

    def fitted_width(self, width: int, height: int) -> int:
        """The width that a crop of width x height px gets."""
        if self.width:
            return self.width
        return min(max(round(width * self.height / height), self.min_width), self.max_width)


def resize_crop(image: Pixels, size: CropSize) -> Pixels:
    """The crop (height x width x 3) in the pixels that a network takes."""
    height, width = image.shape[:2]
    wanted = (size.fitted_width(width, height), size.height)
    # Averaged where it shrinks and interpolated where it grows; a long flat crop does one across and the other down.
    shrunk = (min(wanted[0], width), min(wanted[1], height))
    if shrunk != (width, height):
        image = cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA)
    if wanted != shrunk:
        image = cv2.resize(image, wanted, interpolation=cv2.INTER_LINEAR)
    return image


def cached_crops(sources: Sequence[CropSource], size: CropSize) -> PixelStore:
    """The crops of `sources`, in their order, resized; decoded now or, once per machine, before.

    What is kept is found by the identities of all crops and the size. Where the cache cannot be written (a full disk, a
    read-only folder), a warning says so and the crops are held in memory, by each process for itself.
    Raises BadImage, a line for each of the first crops that cannot be read.
    """
    try:
        return _on_disk(sources, size)
    except OSError as error:
        warnings.warn(
            f"{cache_folder()}: must hold the {len(sources)} crops that trials share, but {error}; each process keeps "
            "them in memory: make room there, or name another folder in NIGHTSWEEP_CACHE",
            RuntimeWarning,
            stacklevel=2,
        )
        return hold_pixels(_decode(sources, size))


def _on_disk(sources: Sequence[CropSource], size: CropSize) -> PixelStore:
    folder = cache_folder() / f"crops-{_key(sources, size)}"

    def fill(beside: Path) -> None:
        remove_disused("crops-" + "[0-9a-f]" * _KEY_DIGITS)
        write_pixels(beside, _decode(sources, size))

    store = load_or_make(folder, lambda made: open_pixels(made, len(sources)), fill)
    touch(folder)
    return store


def _key(sources: Sequence[CropSource], size: CropSize) -> str:
    digest = hashlib.sha256(repr((RESIZING_VERSION, astuple(size))).encode())
    for source in sources:
        digest.update(source.identity().encode(errors="surrogateescape") + b"\0")
    return digest.hexdigest()[:_KEY_DIGITS]


def _decode(sources: Sequence[CropSource], size: CropSize) -> Iterator[Pixels]:
    """The resized crops, decoded by threads, a chunk at a time."""

    def read(source: CropSource) -> Pixels | BadImage:
        try:
            return resize_crop(source.read(), size)
        except BadImage as error:
            return error

    bad: list[str] = []
    with ThreadPoolExecutor(min(_THREADS, len(os.sched_getaffinity(0)))) as threads:
        for start in range(0, len(sources), _CHUNK):
            for image in threads.map(read, sources[start : start + _CHUNK]):
                if isinstance(image, BadImage):
                    bad.append(str(image))
                elif not bad:
                    yield image
    if bad:
        more = [f"and {len(bad) - SHOWN} more that cannot be read"] if len(bad) > SHOWN else []
        raise BadImage("\n".join([*bad[:SHOWN], *more]))
