"""Tells whether crops, labels and charset are the same as before. No torch here: every start of a study asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainables.data import file_digest
from trainables.recognition.data_section import CropSection
from trainables.recognition.labels import read_labels
from trainables.synthetic import PLATE_DRAWING_VERSION


def fingerprint(data: Mapping[str, Any]) -> str:
    """Returns 16 hex digits that change when the labels, the crops or the charset do, and not with folds and fold.

    Covers the bytes of the files of labels and of the charset, the split of each file, and each crop that is labelled
    (see file_digest); an absent crop counts as absent. Of drawn plates: their number, hardness and seed, the version of
    the drawing, and the file of the charset.
    """
    section = CropSection.parse(data)
    charset = [] if section.charset is None else [section.charset.read_bytes()]
    if section.drawn:
        return file_digest.fingerprint([*charset, section.drawing(PLATE_DRAWING_VERSION)])
    labels = [repr(file.split).encode() + file.path.read_bytes() for file in section.labels]
    crops = (section.folder / label.path for label in read_labels(section, strict=False))
    return file_digest.fingerprint([*charset, *labels, *file_digest.digest_files(crops)])
