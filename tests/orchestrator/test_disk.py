"""A full disk is seen coming, and recognised behind the errors of libraries that hide it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.disk import free_bytes, full_disk, in_gb, is_full, shortage

FillDisk = Callable[[Path], Path]
MountDisk = Callable[..., Path]


def test_what_is_free_is_what_df_says_also_for_a_folder_to_come(mount_disk: MountDisk):
    disk = mount_disk("4m")
    (disk / "file").write_bytes(bytes(10**6))
    assert free_bytes(disk) == free_bytes(disk / "runs" / "toy") == shutil.disk_usage(disk).free


def test_a_disk_without_room_for_another_file_is_full(mount_disk: MountDisk):
    disk = mount_disk("4m", "nr_inodes=3")
    assert free_bytes(disk) > 0
    for name in "ab":
        (disk / name).touch()
    assert free_bytes(disk) == 0


def test_a_shortage_names_the_disk_what_is_free_and_what_must_be(mount_disk: MountDisk):
    roomy, small = mount_disk("8m"), mount_disk("2m")
    assert shortage([roomy, small], 1_500_000) is None
    said = shortage([roomy, small], 5_000_000)
    assert said is not None
    assert said.startswith(f"the disk of {small} is full: 2.1 MB are free, 5.0 MB must be; ")
    assert f"du -xsh {small}/*" in said


def error_of(act: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:
        act()
    return caught.value


@pytest.mark.parametrize("how", ["python", "torch", "torch through python", "numpy"])
def test_a_full_disk_is_recognised_behind_every_writer(mount_disk: MountDisk, fill_disk: FillDisk, how: str):
    import numpy as np
    import torch

    from trainables.checkpoint import write

    disk = mount_disk("2m")
    file, weights = disk / "model.pt", {"layer": torch.zeros(10**6)}
    writers: dict[str, Callable[[], object]] = {
        "python": lambda: file.write_bytes(bytes(4 * 10**6)),
        "torch": lambda: torch.save(weights, file),
        "torch through python": lambda: write(weights, file),
        "numpy": lambda: np.save(file, np.zeros(10**6, np.float32)),
    }
    error = error_of(writers[how])
    assert is_full(error, disk)
    if how.endswith("python"):
        found = full_disk(error)
        assert found is not None and found.errno == errno.ENOSPC


def test_another_error_is_not_a_full_disk(tmp_path: Path):
    assert not is_full(error_of(lambda: (tmp_path / "none").read_text()), tmp_path)
    assert not is_full(ValueError("wrong"), tmp_path)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0.0 MB"), (3_140_000, "3.1 MB"), (450_000_000, "0.45 GB"), (12_345_000_000, "12.3 GB")]
)
def test_sizes_read_as_people_say_them(size: int, text: str):
    assert in_gb(size) == text
