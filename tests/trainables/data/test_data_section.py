"""Checks what the `data:` sections of all tasks share: root, folds, seed, and keys of drawn examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainables.data.data_section import DataSection
from trainables.detection.data_section import PageSection
from trainables.recognition.data_section import CropSection

SECTIONS = [PageSection, CropSection]
GROUPS = [f"car {number // 2}" for number in range(12)]


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "data.root: must be a folder .* but got nothing; give its path"),
        ({"root": 3}, "data.root: .* but got 3"),
        ({"root": ""}, "data.root: .* but got ''"),
        ({"root": "/no/such"}, "/no/such is not a folder"),
        ({"root": "synthetic/cats"}, "but got 'synthetic/cats'; nothing else is drawn for text"),
        ({"seeds": 3}, "data: unknown key `seeds`; did you mean `seed`"),
        ({"seed": 1.5}, "data.seed: must be a whole number from 0 to"),
        ({"seed": True}, "data.seed: .* but got True"),
        ({"hardness": 2}, "data.hardness: must be a number from 0 to 1, but got 2"),
        ({"root": ".", "hardness": 0.5}, "data.hardness: is for synthetic/.* alone, but root is .; remove it"),
        ({"fold": 1}, "data.fold: needs `folds`"),
        ({"folds": 5, "fold": 5}, "fold < folds must hold"),
        ({"folds": 1}, "data.folds: must be a whole number from 2"),
    ],
)
def test_a_mistake_in_what_all_tasks_share_says_what_must_hold(
    section: type[DataSection], data: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        section.parse(data if not data or "root" in data else {"root": section.drawn_root} | data)


@pytest.mark.parametrize("section", SECTIONS)
def test_what_only_drawn_examples_have_is_a_mistake_beside_a_folder(section: type[DataSection], tmp_path: Path) -> None:
    for key, (low, _) in section.drawn_keys.items():
        assert getattr(section.parse({"root": section.drawn_root, key: low}), key) == low
        with pytest.raises(ValueError, match=f"data.{key}: is for {section.drawn_root} alone"):
            section.parse({"root": str(tmp_path), key: low})


@pytest.mark.parametrize("section", SECTIONS)
def test_folds_deal_each_group_to_one_side_and_each_example_to_val_once(section: type[DataSection]) -> None:
    dealt = [section.parse({"root": section.drawn_root, "folds": 3, "fold": fold}) for fold in range(3)]
    vals = [set(one.deal(GROUPS, "val")) for one in dealt]
    assert sorted(place for val in vals for place in val) == list(range(12))
    for one, val in zip(dealt, vals, strict=True):
        assert set(one.deal(GROUPS, "train")) == set(range(12)) - val
        assert {GROUPS[place] for place in val}.isdisjoint(GROUPS[place] for place in one.deal(GROUPS, "train"))


def test_test_is_never_dealt_and_nothing_is_without_folds() -> None:
    with_folds = PageSection.parse({"root": "synthetic/receipts", "folds": 2})
    assert [with_folds.is_dealt(split) for split in ("train", "val", "test")] == [True, True, False]
    assert not PageSection.parse({"root": "synthetic/receipts"}).is_dealt("val")


def test_only_test_may_be_empty() -> None:
    section = CropSection.parse({"root": "synthetic/plates"})
    section.require([], "test")
    section.require(["a"], "val")
    with pytest.raises(ValueError, match="crops of split val, but synthetic/plates has none; add some, or deal"):
        section.require([], "val")


def test_a_drawing_is_known_by_its_version_its_keys_and_its_seed() -> None:
    root = {"root": "synthetic/receipts"}
    others = [{"pages": 9}, {"size": 100}, {"hardness": 0.1}, {"seed": 4}]
    drawings = [PageSection.parse(root | other).drawing(1) for other in ({}, *others)]
    assert len({*drawings, PageSection.parse(root).drawing(2)}) == 6
    assert PageSection.parse(root | {"folds": 3}).drawing(1) == drawings[0]
