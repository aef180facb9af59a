"""Checks how twins, leaks and pictures that cannot be read are found, whatever the task."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainables.data.image_file import BadImage, Pixels, check_image, read_image
from trainables.data.label_checks import Twins, look_at, name_first, unreadable


@dataclass(frozen=True)
class Picture:
    """Stands for a picture of any task."""

    name: str
    file: Path | None = None

    def read(self) -> Pixels:
        return noise(0) if self.file is None else read_image(self.file)


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


def test_different_pictures_have_no_twins_and_are_decoded(tmp_path: Path) -> None:
    looks = look_at({"train": pictures(tmp_path, 4)}, most_decoded=10)
    assert names(Twins.among(looks)) == [] and unreadable(looks) == []
    assert [look.size for look in looks] == [(9, 8)] * 4


@pytest.mark.parametrize("most_decoded", [10, 3, 1])
def test_equal_files_are_twins_however_many_are_decoded(tmp_path: Path, most_decoded: int) -> None:
    train = pictures(tmp_path, 6)
    shutil.copy(train[1].file, train[4].file)
    looks = look_at({"train": train[:3], "val": train[3:]}, most_decoded)
    assert names(Twins.among(looks)) == [["1", "4"]]
    assert sum(look.size is not None for look in looks) == min(most_decoded, 6)


def test_equal_pixels_in_files_of_another_kind_and_drawn_ones_are_twins(tmp_path: Path) -> None:
    Image.fromarray(noise(0)).save(tmp_path / "a.png")
    Image.fromarray(noise(0)).save(tmp_path / "b.bmp")
    found = [Picture("a", tmp_path / "a.png"), Picture("b", tmp_path / "b.bmp"), Picture("drawn")]
    assert names(Twins.among(look_at({"train": found}, 10))) == [["a", "b", "drawn"]]


def test_a_leak_is_a_twin_in_another_split_and_is_named_with_what_to_do(tmp_path: Path) -> None:
    train = pictures(tmp_path, 6)
    shutil.copy(train[0].file, train[1].file)  # Both are in train.
    shutil.copy(train[2].file, train[5].file)  # This is a leak.
    twins = Twins.among(look_at({"train": train[:4], "test": train[4:]}, 10))
    assert twins.detail == "2 pictures are there more than once, 1 of them in several splits"
    assert twins.problem == "the same picture is learnt and scored: 2 (train) = 5 (test); keep one of each"
    assert Twins([]).problem is None


def test_a_picture_that_cannot_be_read_is_nobodys_twin(tmp_path: Path) -> None:
    train = pictures(tmp_path, 3)
    for picture in train[:2]:
        picture.file.write_bytes(b"<html>not found</html>")
    looks = look_at({"train": train}, 10)
    assert names(Twins.among(looks)) == []
    assert [text.split(": ")[0] for text in unreadable(looks)] == [str(train[0].file), str(train[1].file)]


def test_what_is_not_decoded_is_looked_at_by_its_head_where_a_task_asks_for_it(tmp_path: Path) -> None:
    train = pictures(tmp_path, 4)
    train[1].file.write_bytes(b"no picture")
    train[3].file.unlink()
    assert unreadable(look_at({"train": train}, 2)) == []
    heads = look_at({"train": train}, 2, lambda picture: check_image(picture.file))
    assert [look.example.name for look in heads if look.mistake] == ["1", "3"]


def test_the_first_mistakes_are_named_and_the_others_counted() -> None:
    assert name_first([]) == ""
    assert name_first(list("abcde")) == "a; b; c; d; e"
    assert name_first(list("abcdefg"), ", ") == "a, b, c, d, e, and 2 more"


def test_whatever_reading_raises_is_a_mistake_of_that_picture_alone(tmp_path: Path) -> None:
    class Locked(Picture):
        def read(self) -> Pixels:
            raise PermissionError(f"{self.name}: locked")

    class Broken(Picture):
        def read(self) -> Pixels:
            raise BadImage(f"{self.name}: broken")

    looks = look_at({"train": [Locked("a"), Broken("b"), Picture("c")]}, 10)
    assert [look.mistake for look in looks] == ["a: locked", "b: broken", None]
