"""Checks where a study's checkpoints lie, and which of them an attempt resumes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.checkpoints.folder import Folder
from orchestrator.checkpoints.open_storage import open_storage
from orchestrator.checkpoints.storage import Storage, StorageError, newest_whole, storage_address
from tests.harness.checkpoint_files import fill_with


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Folder(tmp_path / "toy")


def test_a_corrupt_checkpoint_gives_way_to_the_one_before_and_then_to_the_start(storage: Storage):
    for epoch in (3, 4, 5):
        storage.write(1, epoch, fill_with(str(epoch)))
    assert newest_whole(storage, 1, None).epoch == 0
    assert newest_whole(storage, 1, 4).epoch == 4  # The ledger does not name 5, which a crash left.
    assert newest_whole(storage, 1, 5).passed_over == ()
    (storage.read(1, 5) / "state.json").unlink()
    found = newest_whole(storage, 1, 5)
    assert (found.epoch, found.directory) == (4, storage.read(1, 4))
    assert found.passed_over == ("the checkpoint of epoch 5 is corrupt: state.json is missing",)
    storage.delete(1, 4)
    (storage.read(1, 3) / "state.json").write_text("4")
    found = newest_whole(storage, 1, 5)
    assert (found.epoch, found.directory) == (0, None)
    assert [line.split(":")[0] for line in found.passed_over] == [
        "the checkpoint of epoch 5 is corrupt",
        "the checkpoint of epoch 3 is corrupt",
    ]


def test_a_disk_that_is_not_mounted_is_not_taken_for_lost_checkpoints(storage: Storage, tmp_path: Path):
    storage.write(1, 1, fill_with(""))
    (tmp_path / "toy").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="is its disk mounted"):
        newest_whole(storage, 1, 1)


def test_a_study_has_a_place_of_its_own_in_a_storage(tmp_path: Path):
    raw = {"study": "toy", "storage": str(tmp_path / "shared")}
    assert storage_address(raw, "0123456789abcdef") == f"{tmp_path}/shared/toy-01234567"
    assert storage_address({"study": "toy"}, "0123456789abcdef") is None
    assert (
        storage_address({"study": "toy", "storage": "s3://bucket/runs/"}, "0123456789")
        == "s3://bucket/runs/toy-01234567"
    )
    assert isinstance(open_storage(str(tmp_path), tmp_path / "toy"), Folder)
