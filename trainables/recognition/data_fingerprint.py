"""Tells whether data are the same as before. No torch here: every start of a study asks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from trainables.data.file_digest import digest_files
from trainables.recognition.data_section import DataSection
from trainables.recognition.labels import read_labels
from trainables.synthetic import PLATE_DRAWING_VERSION


def fingerprint(data: Mapping[str, Any]) -> str:
    """16 hex digits that change when the labels, the crops or the charset do; folds and fold have no part in it.

    Covers the bytes of the files of labels and of the charset, the split of each file, and each crop that is labelled
    (see file_digest); an absent crop counts as absent. For drawn plates: their number, hardness, seed and the version
    of the drawing, and the file of the charset.
    """
    section = DataSection.parse(data)
    digest = hashlib.sha256()
    if section.charset is not None:
        digest.update(section.charset.read_bytes())
    if section.drawn:
        digest.update(repr((PLATE_DRAWING_VERSION, section.crops, section.hardness, section.seed)).encode())
        return digest.hexdigest()[:16]
    for file in section.labels:
        digest.update(repr(file.split).encode() + file.path.read_bytes())
    crops = sorted({section.folder / label.path for label in read_labels(section, strict=False)})
    for found in digest_files(crops):
        digest.update(found)
    return digest.hexdigest()[:16]
