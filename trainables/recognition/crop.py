"""One labelled crop: a picture of one line of text, and where its pixels come from. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trainables.data.crop_cache import CropSource
from trainables.data.image_file import ImageFile, Pixels
from trainables.data.pixel_store import PixelStore


class PixelSource(CropSource, Protocol):
    """Where the pixels of a crop come from."""

    def size(self) -> tuple[int, int]:
        """(width, height), as cheaply as can be. Raises BadImage."""


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

    @property
    def file(self) -> Path | None:
        """The file of the crop; None where it was drawn."""
        return self.source.path if isinstance(self.source, ImageFile) else None

    def read(self) -> Pixels:
        """Height x width x 3, uint8 RGB. Raises trainables.data.image_file.BadImage."""
        return self.source.read()

    def size(self) -> tuple[int, int]:
        """(width, height) in pixels. Raises trainables.data.image_file.BadImage."""
        return self.source.size()
