"""Checks where folders that are made once per machine lie, and what becomes of those that somebody else put there."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from trainables.data.disk_cache import cache_folder, make_once
from trainables.data.pixel_store import PIXELS, SHAPES, open_pixels, write_pixels
from trainables.synthetic.drawn_plates import drawn_plates


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Takes the user's home away: what is shared lies in the temporary folder, where others write too."""
    monkeypatch.delenv("NIGHTSWEEP_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/no-home")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    drawn_plates.cache_clear()
    return cache_folder()


def test_in_the_temporary_folder_it_is_the_users_alone(temporary: Path) -> None:
    make_once(temporary / "made", Path.exists, lambda folder: (folder / "here").touch())
    assert temporary.stat().st_mode & 0o777 == 0o700
    assert temporary.name != f"nightsweep-{os.getuid()}"  # Ray's clusters are there, and what is not locked is removed.


@pytest.mark.parametrize("planted", ["writable", "link", "file", "another's"])
def test_what_another_user_may_have_planted_is_not_used(temporary: Path, planted: str) -> None:
    mine = temporary.with_name("mine")
    mine.mkdir()
    if planted == "link":
        temporary.symlink_to(mine)
    elif planted == "file":
        temporary.touch()
    else:
        temporary.mkdir()
        temporary.chmod(0o777 if planted == "writable" else 0o755)
    if planted == "another's":
        if os.geteuid() != 0:
            pytest.skip("only root gives files away")
        os.chown(temporary, 12345, -1)
    with pytest.raises(PermissionError, match="must be a folder of yours that nobody else can write to; remove it"):
        make_once(temporary / "made", Path.exists, Path.mkdir)
    with pytest.raises(OSError, match="NIGHTSWEEP_CACHE"):
        drawn_plates(4, 0, 0.5)


def test_a_lock_is_not_followed_to_where_it_points(tmp_path: Path) -> None:
    (tmp_path / ".made.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        make_once(tmp_path / "made", Path.exists, lambda folder: None)
    assert not (tmp_path / "elsewhere").exists()


def shapes_of(kind: str) -> np.ndarray:
    if kind == "pickle":
        return np.array([[{"a": 1}, 2]], dtype=object)
    return np.array({
        "whole": [[2, 4]], "negative": [[-2, -4]], "vast": [[2**31 - 1, 2**31 - 1]], "other": [[2, 4, 1]]
    }[kind], np.int64 if kind == "vast" else np.int32)  # fmt: skip


@pytest.mark.parametrize("kind", ["whole", "pickle", "negative", "vast", "other", "zip", "longer than it is"])
def test_of_planted_pictures_only_whole_ones_are_opened(tmp_path: Path, kind: str) -> None:
    write_pixels(tmp_path, [np.zeros((2, 4, 3), np.uint8)])
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / SHAPES, "w") as archive:
            archive.writestr("shapes.npy", b"x")
    elif kind == "longer than it is":
        header = {"descr": "<i4", "fortran_order": False, "shape": (10**12, 2)}
        with (tmp_path / SHAPES).open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
    else:
        np.save(tmp_path / SHAPES, shapes_of(kind), allow_pickle=True)
    assert (tmp_path / PIXELS).stat().st_size == 24
    assert (open_pixels(tmp_path, 1) is not None) == (kind == "whole")
