"""Checks how twins, leaks and pictures that cannot be read are found and judged, whatever the task."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainables.data.image_file import ImageFile, Pixels
from trainables.data.label_checks import Problem, Twins, blocks, findings_of, judge_unreadable, name_first
from trainables.data.look import Look, look_at
from trainables.trainable import Finding

pytestmark = pytest.mark.usefixtures("own_cache")


@dataclass(frozen=True)
class Picture:
    """Stands for a picture of any task."""

    name: str
    file: Path | None = None

    def read(self) -> Pixels:
        return noise(0) if self.file is None else ImageFile(self.file).read()

    def identity(self) -> str:
        return self.name if self.file is None else ImageFile(self.file).identity()


def noise(seed: int) -> Pixels:
    """Draws a picture that no other seed draws."""
    return np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)


def pictures(folder: Path, count: int, kind: str = "bmp") -> list[Picture]:
    """Writes `count` pictures, no two alike; as bitmaps all have the same number of bytes."""
    for number in range(count):
        Image.fromarray(noise(number + 1)).save(folder / f"{number}.{kind}")
    return [Picture(f"{number}", folder / f"{number}.{kind}") for number in range(count)]


def names(twins: Twins[Picture]) -> list[list[str]]:
    """Returns the names of the pictures in each group."""
    return [[look.example.name for look in group] for group in twins.groups]


def test_equal_files_are_twins_and_different_pictures_are_not(tmp_path: Path) -> None:
    train = pictures(tmp_path, 6)
    shutil.copy(train[1].file, train[4].file)
    assert names(Twins.among(look_at({"train": train[:3], "val": train[3:]}))) == [["1", "4"]]


def test_equal_pixels_in_files_of_another_kind_and_drawn_ones_are_twins(tmp_path: Path) -> None:
    Image.fromarray(noise(0)).save(tmp_path / "a.png")
    Image.fromarray(noise(0)).save(tmp_path / "b.bmp")
    found = [Picture("a", tmp_path / "a.png"), Picture("b", tmp_path / "b.bmp"), Picture("drawn")]
    assert names(Twins.among(look_at({"train": found}))) == [["a", "b", "drawn"]]


def test_a_leak_is_a_twin_in_another_split_and_is_named_with_what_to_do(tmp_path: Path) -> None:
    train = pictures(tmp_path, 6)
    shutil.copy(train[0].file, train[1].file)  # Both are in train.
    shutil.copy(train[2].file, train[5].file)  # This is a leak.
    twins = Twins.among(look_at({"train": train[:4], "test": train[4:]}))
    assert twins.detail == "2 pictures are there more than once, 1 of them in several splits"
    assert twins.problem == Problem(
        "same_picture_in_splits", "the same picture is learnt and scored: 2 (train) = 5 (test); keep one of each"
    )
    assert Twins([]).problem is None


def test_a_picture_that_cannot_be_read_is_nobodys_twin(tmp_path: Path) -> None:
    train = pictures(tmp_path, 3)
    for picture in train[:2]:
        picture.file.write_bytes(b"<html>not found</html>")
    looks = look_at({"train": train})
    assert names(Twins.among(looks)) == []


def test_the_first_mistakes_are_named_and_the_others_counted() -> None:
    assert name_first([]) == ""
    assert name_first(list("abcde")) == "a; b; c; d; e"
    assert name_first(list("abcdefg"), ", ") == "a, b, c, d, e, and 2 more"


def test_pictures_that_cannot_be_read_are_a_problem_unless_few_of_them_are_left_out() -> None:
    good = [Look("train", Picture(str(number))) for number in range(9)]
    bad = [Look("train", Picture("x"), mistake="x.jpg: cut short")]
    assert judge_unreadable(good, skip=False) == judge_unreadable(good, skip=True) == ("", None)
    told, problem = judge_unreadable(bad + good, skip=False)
    assert told == "" and problem is not None and problem.kind == "unreadable_pictures"
    assert problem.text == "x.jpg: cut short; or leave them out with `data.on_bad: skip`"
    assert judge_unreadable(bad + good, skip=True) == (
        "1 of 10 left out, because they cannot be read: x.jpg: cut short",
        None,
    )
    told, problem = judge_unreadable(bad + good[:2], skip=True)
    assert problem is not None and problem.kind == "many_pictures_skipped" and "1 of 3 left out" in problem.text


def test_each_problem_is_a_finding_of_its_kind_and_one_that_is_accepted_blocks_nothing() -> None:
    first, second = findings_of("labels", "3 seen", [Problem("a", "A"), None, Problem("b", "B")])
    assert first == Finding("labels", "3 seen", "A", kind="a") and second == Finding("labels", "3 seen", "B", kind="b")
    assert findings_of("labels", "3 seen", [None]) == [Finding("labels", "3 seen")]
    assert blocks(first, {}) and blocks(first, {"accept": ["b"]}) and not blocks(first, {"accept": ["b", "a"]})
    assert not blocks(Finding("labels", "3 seen"), {})
