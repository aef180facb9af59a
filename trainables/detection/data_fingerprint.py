"""Tells whether data are the same as before. No torch here: every start of a study asks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from trainables.data.file_digest import digest_files
from trainables.detection.annotations import read_annotations
from trainables.detection.data_section import DataSection
from trainables.synthetic import DRAWING_VERSION


def fingerprint(data: Mapping[str, Any]) -> str:
    """16 hex digits that change when the labels or the images do; folds and fold have no part in it.

    Covers the bytes of annotations.json and each image it names (see file_digest); an absent image counts as absent.
    For drawn pages: their number, size, hardness, seed and the version of the drawing.
    """
    section = DataSection.parse(data)
    if section.drawn:
        drawing = (DRAWING_VERSION, section.pages, section.size, section.hardness, section.seed)
        return hashlib.sha256(repr(drawing).encode()).hexdigest()[:16]
    digest = hashlib.sha256((section.folder / "annotations.json").read_bytes())
    splits = read_annotations(section.folder, need_split=False)
    for found in digest_files(sorted({section.folder / page.name for pages in splits.values() for page in pages})):
        digest.update(found)
    return digest.hexdigest()[:16]
