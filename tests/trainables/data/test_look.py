"""Checks that every picture is looked at, that looks are remembered until a file changes, and that none condemns."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainables.data.image_file import BadImage, ImageFile, Pixels
from trainables.data.look import look_at, readable


@dataclass(frozen=True, eq=False)
class Picture:
    """Stands for a picture of any task, and counts how often it is read."""

    name: str
    file: Path | None = None
    read_times: list[str] = field(default_factory=list)

    def read(self) -> Pixels:
        self.read_times.append(self.name)
        return np.zeros((3, 5, 3), np.uint8) if self.file is None else ImageFile(self.file).read()

    def identity(self) -> str:
        return self.name if self.file is None else ImageFile(self.file).identity()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pictures(folder: Path, count: int) -> list[Picture]:
    """Writes `count` pictures, no two alike."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        Image.new("RGB", (9, 8), (number % 256, number // 256, 0)).save(folder / f"{number}.bmp")
    return [Picture(str(number), folder / f"{number}.bmp") for number in range(count)]


def read_again(found: list[Picture]) -> list[str]:
    """Returns the names of the pictures that were read since the last call."""
    names = [name for picture in found for name in picture.read_times]
    for picture in found:
        picture.read_times.clear()
    return names


def test_each_of_many_pictures_is_decoded_and_not_again_until_its_file_changes(tmp_path: Path, cache: Path) -> None:
    found = pictures(tmp_path / "데이터", 450)
    looks = look_at({"train": found[:300], "val": found[300:]})
    assert [each.split for each in looks] == ["train"] * 300 + ["val"] * 150
    assert len({each.seen.pixels for each in looks if each.seen}) == 450 == len(read_again(found))
    assert look_at({"train": found[:300], "val": found[300:]}) == looks and read_again(found) == []
    assert [each.seen for each in look_at({"val": found[300:]})] == [each.seen for each in looks[300:]]
    Image.new("RGB", (4, 2)).save(found[101].file)
    changed = look_at({"train": found})
    assert read_again(found) == ["101"]
    assert changed[101].seen is not None and (changed[101].seen.width, changed[101].seen.height) == (4, 2)


def test_a_picture_that_cannot_be_read_is_looked_at_again_each_time(tmp_path: Path, cache: Path) -> None:
    found = pictures(tmp_path / "data", 3)
    whole = found[1].file.read_bytes()
    found[1].file.write_bytes(whole[:60])
    assert [each.mistake is None for each in look_at({"train": found})] == [True, False, True]
    assert [picture.name for picture in readable("train", found)] == ["0", "2"]
    found[1].file.write_bytes(whole)
    assert readable("train", found) == found


def test_whatever_reading_raises_is_a_mistake_of_that_picture_alone(cache: Path) -> None:
    class Locked(Picture):
        def read(self) -> Pixels:
            raise PermissionError(f"{self.name}: locked")

    class Broken(Picture):
        def read(self) -> Pixels:
            raise BadImage(f"{self.name}: broken")

    looks = look_at({"train": [Locked("a"), Broken("b"), Picture("drawn")]})
    assert [each.mistake for each in looks] == ["a: locked", "b: broken", None]
    assert looks[2].seen is not None and (looks[2].seen.width, looks[2].seen.height) == (5, 3)
    assert not cache.exists(), "of drawn pictures nothing need be remembered"


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": ["x", [1]]}', "{" * 9])
def test_a_memory_that_is_not_whole_is_no_memory(tmp_path: Path, cache: Path, content: str) -> None:
    found = pictures(tmp_path / "data", 2)
    look_at({"train": found})
    (file,) = cache.glob("looks-*/looks.json")
    read_again(found)
    file.write_text(content)
    assert all(each.seen for each in look_at({"train": found})) and read_again(found) == ["0", "1"]
    assert len(json.loads(file.read_text())) == 2


def test_without_a_place_to_remember_the_looks_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path / "file"))
    assert all(each.seen for each in look_at({"train": pictures(tmp_path / "data", 2)}))


def test_turned_pictures_are_known(tmp_path: Path, cache: Path) -> None:
    found = pictures(tmp_path / "data", 2)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", (9, 8)).save(tmp_path / f"{orientation}.png", exif=exif)
        found.append(Picture(str(orientation), tmp_path / f"{orientation}.png"))
    assert [each.seen.turned for each in look_at({"train": found}) if each.seen] == [False] * 3 + [True] * 7
