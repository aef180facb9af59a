"""Tells whether data are the same as before. No torch here: every start of a study asks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainables.detection.annotations import read_annotations
from trainables.detection.data_section import DataSection
from trainables.synthetic import DRAWING_VERSION

_HASHED_WHOLE = 2**30  # images of up to this many bytes in all are hashed whole, above it three pieces of each
_PIECE = 2**16


def fingerprint(data: Mapping[str, Any]) -> str:
    """16 hex digits that change when the labels or the images do; folds and fold have no part in it.

    Covers the bytes of annotations.json and, of each image it names, its size and its bytes: all of them where the
    images are up to 1 GiB together, else 64 KiB each from the beginning, the middle and the end. An absent image counts
    as absent. For drawn pages: their number, size, hardness, seed and the version of the drawing.
    """
    section = DataSection.parse(data)
    if section.drawn:
        drawing = (DRAWING_VERSION, section.pages, section.size, section.hardness, section.seed)
        return hashlib.sha256(repr(drawing).encode()).hexdigest()[:16]
    digest = hashlib.sha256((section.folder / "annotations.json").read_bytes())
    splits = read_annotations(section.folder, need_split=False)
    files = sorted({section.folder / page.name for pages in splits.values() for page in pages})
    whole = sum(file.stat().st_size for file in files if file.is_file()) <= _HASHED_WHOLE
    for file in files:
        digest.update(_hash_file(file, whole))
    return digest.hexdigest()[:16]


def _hash_file(file: Path, whole: bool) -> bytes:
    if not file.is_file():
        return b"absent"
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as stream:
        if whole or size <= 3 * _PIECE:
            while piece := stream.read(2**20):
                digest.update(piece)
        else:
            for start in (0, size // 2, size - _PIECE):
                stream.seek(start)
                digest.update(stream.read(_PIECE))
    return digest.digest()
