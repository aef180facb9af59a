"""Checks files of tensors as torch writes them, bombs, programs, and what is no such file at all."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from trainables.tensor_file import load_tensors

CONTENT = {"weight": torch.arange(6.0).reshape(2, 3), "epoch": 3, "names": ["a", None, 0.5, (1, 2)]}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_what_torch_saved_is_read(tmp_path: Path, zipped: bool) -> None:
    torch.save(CONTENT, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    found = load_tensors(tmp_path / "model.pt")
    assert torch.equal(found.pop("weight"), CONTENT["weight"])
    assert found == {"epoch": 3, "names": ["a", None, 0.5, (1, 2)]}


def test_a_small_file_that_stands_for_gigabytes_is_refused(tmp_path: Path) -> None:
    plain, bomb = tmp_path / "plain.pt", tmp_path / "bomb.pt"
    torch.save({"weight": torch.zeros(5_000_000)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert bomb.stat().st_size < 100_000
    assert torch.load(bomb, weights_only=True)["weight"].numel() == 5_000_000  # torch itself unpacks it
    for mmap in (False, True):
        with pytest.raises(ValueError, match=r"bomb.pt: must hold its tensors as they are, but its \d+ bytes stand"):
            load_tensors(bomb, mmap=mmap)


def test_parts_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """Every one of them is stored as it is; only together they take more than the file."""
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w") as archive:
        archive.writestr("model/data/0", bytes(10_000))
        [part] = archive.filelist
        archive.filelist += [part] * 100
    with pytest.raises(ValueError, match="stand for 1010000"):
        load_tensors(tmp_path / "bomb.pt")


def test_a_file_that_is_none_of_torchs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"\x80\x02cposix\nsystem\n(S'touch intruder'\ntR.")
    with pytest.raises(pickle.UnpicklingError):
        load_tensors(tmp_path / "model.pt")
