"""The keys of the `data:` section and every mistake that can be made with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainables.recognition.data_section import DataSection, LabelFile


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "data.root: must be a folder .* but got nothing"),
        ({"root": 3}, "data.root: .* but got 3"),
        ({"root": "/no/such"}, "/no/such is not a folder"),
        ({"root": "synthetic/receipts"}, "nothing else is drawn for text recognition"),
        ({"root": "synthetic/plates", "crop": 3}, "unknown key `crop`; did you mean `crops`"),
        ({"root": "synthetic/plates", "crops": 3}, "data.crops: must be a whole number from 4"),
        ({"root": "synthetic/plates", "crops": True}, "data.crops: .* but got True"),
        ({"root": "synthetic/plates", "hardness": 2}, "data.hardness: must be a number from 0 to 1, but got 2"),
        ({"root": "synthetic/plates", "labels": "a.csv"}, "data.labels: drawn plates bring theirs"),
        ({"root": "synthetic/plates", "charset": "a.txt"}, "data.charset: .* absolute where plates are drawn"),
        ({"root": "synthetic/plates", "fold": 1}, "data.fold: needs `folds`"),
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
        DataSection.parse(data | ({"root": folders.get(data["root"], data["root"])} if "root" in data else {}))


def test_all_mistakes_of_the_data_section_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        DataSection.parse({"root": str(tmp_path), "crops": 9, "seed": "x", "colour": 1, "charset": "no.txt"})
    assert len(str(caught.value).splitlines()) == 5


def test_what_is_not_said_has_its_default() -> None:
    assert DataSection.parse({"root": "synthetic/plates", "folds": None}) == DataSection("synthetic/plates")


def test_labels_are_found_where_they_are_or_where_they_are_said_to_be(tmp_path: Path) -> None:
    for name in ("train.txt", "val.txt", "more.txt"):
        (tmp_path / name).write_text("")
    by_split = (LabelFile(tmp_path / "train.txt", "train"), LabelFile(tmp_path / "val.txt", "val"))
    root = {"root": str(tmp_path)}
    assert DataSection.parse(root).labels == by_split
    section = DataSection.parse(
        root | {"labels": {"test": "val.txt", "train": ["more.txt", str(tmp_path / "train.txt")]}}
    )
    assert [(file.path.name, file.split) for file in section.labels] == [
        ("more.txt", "train"),
        ("train.txt", "train"),
        ("val.txt", "test"),
    ]
    assert DataSection.parse(root | {"labels": "more.txt"}).labels == (LabelFile(tmp_path / "more.txt"),)
    (tmp_path / "labels.csv").write_text("")
    assert DataSection.parse(root | {"charset": "more.txt"}).labels == (LabelFile(tmp_path / "labels.csv"),)
