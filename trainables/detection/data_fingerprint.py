"""Tells whether pages and labels are the same as before. No torch here: every start of a study asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainables.data import file_digest
from trainables.detection.annotations import read_annotations
from trainables.detection.data_section import ANNOTATIONS, PageSection
from trainables.synthetic import DRAWING_VERSION


def fingerprint(data: Mapping[str, Any]) -> str:
    """Returns 16 hex digits that change when the labels or the images do, and not with folds and fold.

    Covers the bytes of annotations.json and of each image that it names (see file_digest); an absent image counts as
    absent. Of drawn pages: their number, size, hardness and seed, and the version of the drawing.
    """
    section = PageSection.parse(data)
    if section.drawn:
        return file_digest.fingerprint([section.drawing(DRAWING_VERSION)])
    labels = (section.folder / ANNOTATIONS).read_bytes()
    splits = read_annotations(section.folder, need_split=False)
    images = (page.file for pages in splits.values() for page in pages if page.file is not None)
    return file_digest.fingerprint([labels, *file_digest.digest_files(images)])
