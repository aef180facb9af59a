"""Finds the fonts of drawn text: Noto Sans KR and Noto Serif KR (OFL), with all Hangul syllables and Latin."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Literal

from PIL import ImageFont

Face = Literal["sans", "serif"]

_FILES: dict[Face, str] = {"sans": "NotoSansKR-Regular.otf", "serif": "NotoSerifKR-Regular.otf"}


class FontsMissing(RuntimeError):
    """Raised where the package that brings the fonts is not installed, or not whole."""


def font_path(face: Face) -> Path:
    """Returns the font file of a face. Raises FontsMissing."""
    spec = importlib.util.find_spec("pylopdf_fonts_ko")
    if spec is None or spec.origin is None:
        raise FontsMissing(
            "drawn text needs the fonts of the package pylopdf-fonts-ko, but it is not installed; "
            "type: pip install pylopdf-fonts-ko"
        )
    path = Path(spec.origin).parent / _FILES[face]
    if not path.is_file():
        raise FontsMissing(
            f"drawn text needs the font {path}, but it is not there; "
            "type: pip install --force-reinstall pylopdf-fonts-ko"
        )
    return path


@lru_cache(maxsize=256)
def load_font(face: Face, size: int) -> ImageFont.FreeTypeFont:
    """Loads the face at `size` pixels to the em. Raises FontsMissing."""
    return ImageFont.truetype(str(font_path(face)), size, layout_engine=ImageFont.Layout.BASIC)
