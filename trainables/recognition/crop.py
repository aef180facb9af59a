"""One labelled crop: a picture of one line of text, and where its pixels come from. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trainables.data.crop_cache import CropSource
from trainables.data.image_file import Pixels, read_image, read_size
from trainables.data.pixel_store import PixelStore


class PixelSource(CropSource, Protocol):
    """Where the pixels of a crop come from."""

    def size(self) -> tuple[int, int]:
        """(width, height), as cheaply as can be. Raises BadImage."""


@dataclass(frozen=True)
class ImageFile:
    """A crop that is a file of its own."""

    path: Path

    def read(self) -> Pixels:
        """Height x width x 3, uint8 RGB. Raises BadImage."""
        return read_image(self.path)

    def size(self) -> tuple[int, int]:
        return read_size(self.path)

    def identity(self) -> str:
        """Path, inode, size and times: the time of change is the kernel's and cannot be set back, as copying tools do
        with the time of modification. Reading the bytes of all crops for each trial would cost more than it saves."""
        try:
            found = self.path.stat()
        except OSError:
            return f"{self.path} absent"
        return f"{self.path} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


@dataclass(frozen=True, eq=False)
class DrawnCrop:
    """One crop of a set that was drawn; `name` says what determines the pixels."""

    name: str
    pixels: PixelStore
    index: int

    def read(self) -> Pixels:
        return self.pixels.read(self.index)

    def size(self) -> tuple[int, int]:
        height, width = map(int, self.pixels.shapes[self.index])
        return width, height

    def identity(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Crop:
    """A crop and what it says.

    name: of the file, from the root, or of the drawn crop. text: composed (NFC), not empty.
    group: crops of one group are never separated by folds; where the labels name none, its text.
    labelled_group: that group where the labels name one.
    """

    name: str
    text: str
    group: str
    source: PixelSource
    labelled_group: str | None = None

    def read(self) -> Pixels:
        """Height x width x 3, uint8 RGB. Raises trainables.data.image_file.BadImage."""
        return self.source.read()

    def size(self) -> tuple[int, int]:
        """(width, height) in pixels. Raises trainables.data.image_file.BadImage."""
        return self.source.size()
