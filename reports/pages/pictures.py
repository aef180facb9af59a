"""Example pictures of a trial, small enough to lie inside a page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

MOST = 12  # pictures in a report
WIDEST = 1600  # pixels of the longer side; what is larger, or heavier than HEAVY, becomes a JPEG of that size
HEAVY = 400_000  # bytes
MOST_PIXELS = 50_000_000  # of a picture that a page could use; a small file can stand for billions


@dataclass(frozen=True)
class Picture:
    caption: str
    uri: str  # data:image/...
    width: int
    height: int


@dataclass(frozen=True)
class Pictures:
    """shown: at most MOST. left_out: how many more PNG files lie in the folder, unreadable ones among them."""

    shown: tuple[Picture, ...]
    left_out: int
    folder: Path


def example_pictures(trial_directory: Path) -> Pictures:
    """The PNG files in `examples/` of a trial's folder, by name; but for those that are no picture, or a vast one."""
    folder = trial_directory / "examples"
    files = sorted(path for path in folder.glob("*.png") if path.is_file()) if folder.is_dir() else []
    shown = [picture for path in files[:MOST] if (picture := _picture(path)) is not None]
    return Pictures(tuple(shown), len(files) - len(shown), folder)


def _picture(path: Path) -> Picture | None:
    from PIL import Image, UnidentifiedImageError

    caption = path.stem.replace("_", " ").replace("-", " ")
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                return None
            if max(width, height) <= WIDEST and len(data) <= HEAVY:
                image.verify()
                return Picture(caption, _uri("png", data), width, height)
            smaller = image.convert("RGB")
            smaller.thumbnail((WIDEST, WIDEST))
            buffer = io.BytesIO()
            smaller.save(buffer, "JPEG", quality=85)
            return Picture(caption, _uri("jpeg", buffer.getvalue()), *smaller.size)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        return None  # half written, or no PNG at all: a report must not fail for a picture


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
