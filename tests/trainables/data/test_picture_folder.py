"""Checks how the pictures that labels name are found in a folder."""

from __future__ import annotations

import os
from pathlib import Path
from unicodedata import normalize

from trainables.data.picture_folder import PictureFolder, on_disk


def test_a_path_is_spelled_as_the_disk_spells_it(tmp_path: Path) -> None:
    stored = tmp_path / normalize("NFD", "사진") / "é" / normalize("NFD", "둘.jpg")
    stored.parent.mkdir(parents=True)
    stored.touch()
    assert on_disk(tmp_path / "사진" / normalize("NFD", "é") / "둘.jpg") == stored
    assert on_disk(tmp_path / "사진" / "없음.jpg") == tmp_path / normalize("NFD", "사진") / "없음.jpg"
    assert on_disk(Path("없는 폴더/x.jpg")) == Path("없는 폴더/x.jpg")


def test_where_both_forms_are_there_each_is_itself(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        (tmp_path / normalize(form, "둘.jpg")).touch()
        assert PictureFolder(tmp_path).spelled(normalize(form, "둘.jpg")) == normalize(form, "둘.jpg")


def test_a_file_that_comes_later_is_found(tmp_path: Path) -> None:
    assert on_disk(tmp_path / "둘.jpg") == tmp_path / "둘.jpg"
    stored = tmp_path / normalize("NFD", "둘.jpg")
    stored.touch()
    os.utime(tmp_path, (1, 1))  # Clocks of file systems may be coarse.
    assert on_disk(tmp_path / "둘.jpg") == stored


def test_what_leads_out_of_the_root_is_nowhere(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path)
    for path in ("/etc/passwd", "../a.jpg", "a/../../b.jpg", "C:\\a.jpg", f"{tmp_path}x/a.jpg", str(tmp_path), "."):
        assert folder.relative(path) is None
    assert folder.relative(f"{tmp_path}/a//./b.jpg") == "a/b.jpg" == folder.relative("./a/c/../b.jpg")


def test_what_is_like_nothing_is_answered_by_nothing(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    assert PictureFolder(tmp_path).suggest("2.jpg") == "" == PictureFolder(tmp_path / "none").suggest("1.jpg")
    assert PictureFolder(tmp_path).suggest("crops/1.JPEG") == "1.jpg"
