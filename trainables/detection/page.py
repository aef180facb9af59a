"""Describes one labelled page: its text polygons, and where its pixels come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from trainables.data.image_file import ImageFile, Pixels

Float = npt.NDArray[np.float32]


class PixelSource(Protocol):
    """Reads the pixels of a page, wherever they are."""

    def read(self) -> Pixels:
        """Returns height x width x 3, uint8 RGB. Raises BadImage."""

    def identity(self) -> str:
        """Returns a text that changes when the pixels do."""


@dataclass(frozen=True, eq=False)
class Page:
    """Holds a page and its text.

    polygons: float32, N x 2 each, in pixels of the original image, where pixel (0, 0) covers x and y from 0 to 1.
    ignore: one bool a polygon; True where the text is unreadable, so that finding it is neither right nor wrong.
    size: (width, height) of the original image.
    transcriptions: what each polygon says, "" where the labels do not say; empty where they never do.
    """

    name: str
    polygons: tuple[Float, ...]
    ignore: npt.NDArray[np.bool_]
    size: tuple[int, int]
    source: PixelSource
    transcriptions: tuple[str, ...] = ()

    @property
    def file(self) -> Path | None:
        """Returns the file of the page; None where it was drawn."""
        return self.source.path if isinstance(self.source, ImageFile) else None

    def read(self) -> Pixels:
        """Returns height x width x 3, uint8 RGB. Raises trainables.data.image_file.BadImage."""
        return self.source.read()

    def identity(self) -> str:
        """Returns a text that changes when the pixels do."""
        return self.source.identity()


def letterbox_scale(size: tuple[int, int], resolution: int) -> float:
    """Returns pixels of a square of `resolution` per pixel of an image of `size` (width, height)."""
    return resolution / max(size)


def letterbox(image: Pixels, resolution: int) -> Pixels:
    """Scales the image to fit a square, and places it at the top left; the rest is black.

    Returns resolution x resolution x 3.
    """
    height, width = image.shape[:2]
    scale = letterbox_scale((width, height), resolution)
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    if fitted != (width, height):
        image = cv2.resize(image, fitted, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    square = np.zeros((resolution, resolution, 3), np.uint8)
    square[: fitted[1], : fitted[0]] = image
    return square
