"""The keys of the `data:` section and every mistake that can be made with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainables.detection.data_section import DataSection


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "data.root: must be a folder .* but got nothing"),
        ({"root": 3}, "data.root: .* but got 3"),
        ({"root": "/no/such"}, "/no/such is not a folder"),
        ({"root": "synthetic/plates"}, "nothing else is drawn"),
        ({"root": "synthetic/receipts", "page": 3}, "unknown key `page`; did you mean `pages`"),
        ({"root": "synthetic/receipts", "pages": 1.5}, "data.pages: must be a whole number from 4"),
        ({"root": "synthetic/receipts", "pages": True}, "data.pages: .* but got True"),
        ({"root": "synthetic/receipts", "size": 10}, "data.size: must be a whole number from 96"),
        ({"root": "synthetic/receipts", "hardness": 2}, "data.hardness: must be a number from 0 to 1, but got 2"),
        ({"root": "synthetic/receipts", "fold": 1}, "data.fold: needs `folds`"),
        ({"root": "synthetic/receipts", "folds": 5, "fold": 5}, "fold < folds must hold"),
        ({"root": "synthetic/receipts", "folds": 1}, "data.folds: must be a whole number from 2"),
    ],
)
def test_a_mistake_in_the_data_section_says_what_must_hold(data: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DataSection.parse(data)


def test_all_mistakes_of_the_data_section_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        DataSection.parse({"root": str(tmp_path), "pages": 9, "seed": "x", "colour": 1})
    assert len(str(caught.value).splitlines()) == 4


def test_what_is_not_said_has_its_default() -> None:
    section = DataSection.parse({"root": "synthetic/receipts", "folds": None})
    assert section == DataSection("synthetic/receipts", pages=140, size=256, hardness=0.5, folds=None, fold=0, seed=0)
