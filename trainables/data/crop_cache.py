"""Keeps crops as a network takes them: decoded and resized once per machine, and shared by all its trials."""

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

# Raise it whenever the same file gives other pixels: what caches hold is then made anew.
RESIZING_VERSION = 1
_CHUNK = 1024  # crops in memory at once while they are decoded
_THREADS = 8
_KEY_DIGITS = 32


class CropSource(Protocol):
    """Reads the pixels of one crop, wherever they are."""

    def read(self) -> Pixels:
        """Returns height x width x 3, uint8 RGB. Raises BadImage."""

    def identity(self) -> str:
        """Returns a text that changes when the pixels do. Raises OSError."""


@dataclass(frozen=True)
class CropSize:
    """Says how large crops become, in px; with width 0 proportions are kept, within min_width and max_width."""

    height: int
    width: int = 0
    max_width: int = 1024
    min_width: int = 8

    def fitted_width(self, width: int, height: int) -> int:
        """Returns the width that a crop of width x height px gets."""
        if self.width:
            return self.width
        return min(max(round(width * self.height / height), self.min_width), self.max_width)


def resize_crop(image: Pixels, size: CropSize) -> Pixels:
    """Resizes a crop (height x width x 3) to the pixels that a network takes."""
    height, width = image.shape[:2]
    wanted = (size.fitted_width(width, height), size.height)
    # A side that shrinks is averaged, one that grows is interpolated; a long flat crop may need both.
    shrunk = (min(wanted[0], width), min(wanted[1], height))
    if shrunk != (width, height):
        image = cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA)
    if wanted != shrunk:
        image = cv2.resize(image, wanted, interpolation=cv2.INTER_LINEAR)
    return image


def cached_crops(sources: Sequence[CropSource], size: CropSize) -> PixelStore:
    """Returns the crops of `sources` resized, in their order; decodes them unless this machine has done so before.

    The cache finds them by the identities of all sources and the size. Where it cannot be written (a full disk, a
    read-only folder), a warning says so, and each process keeps the crops in its own memory.
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
    """Returns the crops from the cache, after writing them there if they are absent. Raises OSError, BadImage."""
    folder = cache_folder() / f"crops-{_key(sources, size)}"

    def fill(beside: Path) -> None:
        remove_disused("crops-" + "[0-9a-f]" * _KEY_DIGITS)
        write_pixels(beside, _decode(sources, size))

    store = load_or_make(folder, lambda made: open_pixels(made, len(sources)), fill)
    touch(folder)
    return store


def _key(sources: Sequence[CropSource], size: CropSize) -> str:
    """Returns the name under which these crops of this size are kept."""
    digest = hashlib.sha256(repr((RESIZING_VERSION, astuple(size))).encode())
    for source in sources:
        digest.update(source.identity().encode(errors="surrogateescape") + b"\0")
    return digest.hexdigest()[:_KEY_DIGITS]


def _decode(sources: Sequence[CropSource], size: CropSize) -> Iterator[Pixels]:
    """Yields the resized crops, decoded by several threads, a chunk at a time. Raises BadImage at the end."""

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
