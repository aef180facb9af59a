"""Checks the keys that only pages have in the `data:` section, and every mistake that can be made with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainables.detection.data_section import PageSection


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"root": "synthetic/plates"}, "nothing else is drawn for text detection"),
        ({"root": "synthetic/receipts", "page": 3}, "unknown key `page`; did you mean `pages`"),
        ({"root": "synthetic/receipts", "pages": 1.5}, "data.pages: must be a whole number from 4"),
        ({"root": "synthetic/receipts", "size": 10}, "data.size: must be a whole number from 96"),
    ],
)
def test_a_mistake_in_the_data_section_says_what_must_hold(data: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PageSection.parse(data)


def test_a_folder_without_annotations_is_not_one_of_pages(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"data.root: must be a folder that holds .*, but {tmp_path} has no annotatio"):
        PageSection.parse({"root": str(tmp_path)})
    (tmp_path / "annotations.json").write_text("[]")
    assert PageSection.parse({"root": str(tmp_path)}).folder == tmp_path


def test_all_mistakes_of_the_data_section_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        PageSection.parse({"root": str(tmp_path), "pages": 9, "seed": "x", "colour": 1})
    assert len(str(caught.value).splitlines()) == 4


def test_what_is_not_said_has_its_default() -> None:
    section = PageSection.parse({"root": "synthetic/receipts", "folds": None})
    assert section == PageSection("synthetic/receipts", pages=140, size=256, hardness=0.5, folds=None, fold=0, seed=0)
