"""Makes the example pictures of a trial small enough to lie inside a page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from reports.pages.example_files import FOLDER, caption_of, example_files

MOST_PICTURES = 12
LONGEST_PIXELS = 1600  # A picture with a longer side becomes a JPEG of this size.
HEAVIEST_BYTES = 400_000  # So does a heavier one.
MOST_PIXELS = 50_000_000  # A larger picture is left out: a small file can stand for billions of pixels.


@dataclass(frozen=True)
class Picture:
    """Holds a picture of the page. uri: data:image/... width, height: in pixels."""

    caption: str
    uri: str  # data:image/...
    width: int
    height: int


@dataclass(frozen=True)
class Pictures:
    """Holds the example pictures of a trial.

    shown: at most MOST_PICTURES. left_out: how many more PNG files lie in the folder, unreadable ones among them.
    """

    shown: tuple[Picture, ...]
    left_out: int
    folder: Path


def example_pictures(trial_directory: Path) -> Pictures:
    """Reads the PNG files in `examples/` of a trial's folder, by name; leaves out what is no picture, or a vast one."""
    files = example_files(trial_directory, ".png")
    shown = [picture for path in files[:MOST_PICTURES] if (picture := _picture(path)) is not None]
    return Pictures(tuple(shown), len(files) - len(shown), trial_directory / FOLDER)


def _picture(path: Path) -> Picture | None:
    """Reads one file; None for what is no PNG, or half written: a report must not fail for a picture."""
    from PIL import Image, UnidentifiedImageError

    caption = caption_of(path)
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                return None
            if max(width, height) <= LONGEST_PIXELS and len(data) <= HEAVIEST_BYTES:
                image.verify()
                return Picture(caption, _uri("png", data), width, height)
            smaller = image.convert("RGB")
            smaller.thumbnail((LONGEST_PIXELS, LONGEST_PIXELS))
            buffer = io.BytesIO()
            smaller.save(buffer, "JPEG", quality=85)
            return Picture(caption, _uri("jpeg", buffer.getvalue()), *smaller.size)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        return None


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
