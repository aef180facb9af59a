"""Describes one labelled crop: a picture of one line of text, and where its pixels come from. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trainables.data.crop_cache import CropSource
from trainables.data.image_file import ImageFile, Pixels
from trainables.data.pixel_store import PixelStore


class PixelSource(CropSource, Protocol):
    """Reads the pixels of a crop, or their number alone."""

    def size(self) -> tuple[int, int]:
        """Returns (width, height), as cheaply as can be. Raises BadImage."""


@dataclass(frozen=True, eq=False)
class DrawnCrop:
    """Reads one crop of a set that was drawn; `name` says what determines its pixels."""

    name: str
    pixels: PixelStore
    index: int

    def read(self) -> Pixels:
        """Returns height x width x 3, uint8 RGB."""
        return self.pixels.read(self.index)

    def size(self) -> tuple[int, int]:
        """Returns (width, height)."""
        height, width = map(int, self.pixels.shapes[self.index])
        return width, height

    def identity(self) -> str:
        """Returns the name, which changes when the pixels do."""
        return self.name


@dataclass(frozen=True, eq=False)
class Crop:
    """Holds a crop and what it says.

    name: of the file, from the root, or of the drawn crop. text: composed (NFC), not empty.
    group: folds never separate crops of one group; it is the crop's text where the labels name no group.
    labelled_group: the group that the labels name, if they do.
    """

    name: str
    text: str
    group: str
    source: PixelSource
    labelled_group: str | None = None

    @property
    def file(self) -> Path | None:
        """Returns the file of the crop; None where it was drawn."""
        return self.source.path if isinstance(self.source, ImageFile) else None

    def read(self) -> Pixels:
        """Returns height x width x 3, uint8 RGB. Raises trainables.data.image_file.BadImage."""
        return self.source.read()

    def size(self) -> tuple[int, int]:
        """Returns (width, height) in pixels. Raises trainables.data.image_file.BadImage."""
        return self.source.size()

    def identity(self) -> str:
        """Returns a text that changes when the pixels do."""
        return self.source.identity()
