"""Checks the keys that only crops have in the `data:` section, and every mistake that can be made with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainables.recognition.data_section import CropSection, LabelFile


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"root": "synthetic/receipts"}, "nothing else is drawn for text recognition"),
        ({"root": "synthetic/plates", "crop": 3}, "unknown key `crop`; did you mean `crops`"),
        ({"root": "synthetic/plates", "crops": 3}, "data.crops: must be a whole number from 4"),
        ({"root": "synthetic/plates", "labels": "a.csv"}, "data.labels: drawn plates bring theirs"),
        ({"root": "synthetic/plates", "charset": "a.txt"}, "data.charset: .* absolute where plates are drawn"),
        ({"root": "ROOT", "crops": 9}, "data.crops: is for synthetic/plates alone"),
        ({"root": "EMPTY"}, "data.root: must hold labels.csv, or train.txt and val.txt, but .*empty has none"),
        ({"root": "ROOT", "labels": "no.txt"}, "data.labels: .*no.txt is not a file"),
        ({"root": "ROOT", "labels": {"training": "a.txt"}}, "must name train, val or test, but got 'training'"),
        ({"root": "ROOT", "labels": {}}, "data.labels: must name a file, but is empty"),
        ({"root": "ROOT", "labels": {"train": ["a.txt", 3]}}, "data.labels: must be a file, .* but got 3"),
        ({"root": "ROOT", "charset": "no.txt"}, "data.charset: .*no.txt is not a file"),
        ({"root": "ROOT", "charset": 3}, "data.charset: .* but got 3"),
    ],
)
def test_a_mistake_in_the_data_section_says_what_must_hold(tmp_path: Path, data: dict[str, Any], words: str) -> None:
    folders = {"ROOT": str(tmp_path), "EMPTY": str(tmp_path / "empty")}
    (tmp_path / "empty").mkdir()
    for name in ("labels.csv", "a.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match=words):
        CropSection.parse(data | {"root": folders.get(data["root"], data["root"])})


def test_all_mistakes_of_the_data_section_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        CropSection.parse({"root": str(tmp_path), "crops": 9, "seed": "x", "colour": 1, "charset": "no.txt"})
    assert len(str(caught.value).splitlines()) == 5


def test_what_is_not_said_has_its_default() -> None:
    assert CropSection.parse({"root": "synthetic/plates", "folds": None}) == CropSection("synthetic/plates")


def test_labels_are_found_where_they_are_or_where_they_are_said_to_be(tmp_path: Path) -> None:
    for name in ("train.txt", "val.txt", "more.txt"):
        (tmp_path / name).write_text("")
    by_split = (LabelFile(tmp_path / "train.txt", "train"), LabelFile(tmp_path / "val.txt", "val"))
    root = {"root": str(tmp_path)}
    assert CropSection.parse(root).labels == by_split
    section = CropSection.parse(
        root | {"labels": {"test": "val.txt", "train": ["more.txt", str(tmp_path / "train.txt")]}}
    )
    assert [(file.path.name, file.split) for file in section.labels] == [
        ("more.txt", "train"),
        ("train.txt", "train"),
        ("val.txt", "test"),
    ]
    assert CropSection.parse(root | {"labels": "more.txt"}).labels == (LabelFile(tmp_path / "more.txt"),)
    (tmp_path / "labels.csv").write_text("")
    assert CropSection.parse(root | {"charset": "more.txt"}).labels == (LabelFile(tmp_path / "labels.csv"),)


def test_a_file_that_calls_its_split_by_another_word_is_named_with_what_to_write(tmp_path: Path) -> None:
    for name in ("train.txt", "validation.txt", "notes.txt"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError) as caught:
        CropSection.parse({"root": str(tmp_path)})
    assert str(caught.value) == (
        "data.labels: must name the files of labels, for validation.txt would not be read; "
        "write labels: {train: train.txt, val: validation.txt}"
    )
    (tmp_path / "val.txt").touch()
    assert len(CropSection.parse({"root": str(tmp_path)}).labels) == 2


def test_where_no_labels_are_found_the_files_that_may_be_meant_are_named(tmp_path: Path) -> None:
    (tmp_path / "rec_gt_train.txt").touch()
    with pytest.raises(ValueError, match=r"or name the files in data.labels \(there: rec_gt_train.txt\)"):
        CropSection.parse({"root": str(tmp_path)})
