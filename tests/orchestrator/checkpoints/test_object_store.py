"""Checks checkpoints in an object store, whose manifest is uploaded last: without one they count as absent.

file:// takes the way of s3://, through pyarrow's filesystem layer; memory:// that of a scheme that only fsspec knows.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.checkpoints.manifest import CorruptCheckpoint
from orchestrator.checkpoints.object_store import ObjectStore
from orchestrator.checkpoints.open_storage import open_storage, try_writing
from orchestrator.checkpoints.storage import StorageError, join_address, newest_whole
from orchestrator.errors import InputMistake


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """Returns the folder in which file:// keeps its objects."""
    return tmp_path / "bucket"


@pytest.fixture
def store(bucket: Path, tmp_path: Path) -> ObjectStore:
    found = open_storage(bucket.as_uri(), tmp_path / "runs" / "toy")
    assert isinstance(found, ObjectStore)
    return found


def fill(directory: Path) -> None:
    (directory / "weights").mkdir()
    (directory / "weights" / "model.pt").write_bytes(bytes(range(256)) * 100)
    (directory / "state.json").write_text("{}")


def objects(bucket: Path) -> list[str]:
    return sorted(path.relative_to(bucket).as_posix() for path in bucket.rglob("*") if path.is_file())


def test_what_was_written_is_read_back_and_nothing_else_lies_about(store: ObjectStore, bucket: Path, tmp_path: Path):
    store.write(7, 12, fill)
    directory = "trials/0007/checkpoint/epoch-0012"
    assert objects(bucket) == [f"{directory}/{name}" for name in ("manifest.json", "state.json", "weights/model.pt")]
    assert not list((tmp_path / "runs").rglob("*.pt"))  # The upload's local copy is gone.
    local = store.read(7, 12)
    assert (local / "weights" / "model.pt").read_bytes() == bytes(range(256)) * 100
    assert store.sizes() == store.sizes(7) == {7: {12: 25_602}}
    assert store.address(7, 12) == f"{bucket.as_uri()}/{directory}"
    store.check(7, 12)
    store.sweep(7)
    assert not local.exists()
    store.delete(7, 12)
    store.delete(7, 12)
    assert (objects(bucket), store.sizes()) == ([], {})


def test_a_half_uploaded_checkpoint_is_not_there_and_is_swept_away(store: ObjectStore, bucket: Path):
    for epoch in (1, 2, 3):
        store.write(1, epoch, fill)
    for epoch, missing in ((2, "weights/model.pt"), (3, "manifest.json")):  # The process died while it uploaded.
        (bucket / "trials" / "0001" / "checkpoint" / f"epoch-{epoch:04d}" / missing).unlink()
    assert store.sizes(1).get(1, {}).keys() == {1, 2}
    for look in (store.check, store.read):
        with pytest.raises(CorruptCheckpoint, match=r"weights/model\.pt is missing"):
            look(1, 2)
    found = newest_whole(store, 1, 3)
    assert found.epoch == 1
    assert found.passed_over == (
        "the checkpoint of epoch 3 is corrupt: manifest.json is missing",
        "the checkpoint of epoch 2 is corrupt: weights/model.pt is missing",
    )
    store.sweep(1)
    assert "epoch-0003" not in " ".join(objects(bucket))


def test_an_upload_in_place_of_another_leaves_nothing_of_it(store: ObjectStore, bucket: Path):
    store.write(1, 1, fill)
    store.write(1, 1, lambda directory: (directory / "other.pt").write_bytes(b"new") and None)
    assert [name.rpartition("/")[2] for name in objects(bucket)] == ["manifest.json", "other.pt"]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a flipped bit": lambda file: file.write_bytes(bytes(1) + file.read_bytes()[1:].replace(b"\2", b"\3", 1)),
    "a truncated object": lambda file: file.write_bytes(b"half"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_corrupt_object_is_found_when_it_is_read(store: ObjectStore, bucket: Path, damage: str):
    store.write(1, 1, fill)
    DAMAGES[damage](bucket / "trials" / "0001" / "checkpoint" / "epoch-0001" / "weights" / "model.pt")
    with pytest.raises(CorruptCheckpoint, match=r"weights/model\.pt"):
        store.read(1, 1)


def test_what_fill_raises_is_its_own_and_uploads_nothing(store: ObjectStore, bucket: Path):
    with pytest.raises(ZeroDivisionError):
        store.write(1, 1, lambda directory: print(1 / 0))
    assert not bucket.exists()


def test_a_store_that_is_away_is_a_storage_error_and_not_a_corrupt_checkpoint(store: ObjectStore, bucket: Path):
    store.write(1, 1, fill)
    shutil.rmtree(bucket)
    bucket.write_text("no folder any more")
    with pytest.raises(StorageError, match="cannot be used for checkpoints"):
        store.write(1, 2, fill)


def test_a_full_disk_under_the_upload_is_a_storage_error(
    bucket: Path, mount_disk: Callable[..., Path], fill_disk: Callable[[Path], Path]
):
    disk = mount_disk("2m")
    store = ObjectStore(bucket.as_uri(), disk / "toy")
    taken = fill_disk(disk)
    with pytest.raises(StorageError, match="is full"):
        store.write(1, 1, fill)
    taken.unlink()
    store.write(1, 1, fill)
    assert store.sizes() == {1: {1: 25_602}}


def test_a_scheme_that_only_fsspec_knows_goes_the_same_way(tmp_path: Path):
    store = ObjectStore("memory://runs/toy", tmp_path / "toy")
    store.write(1, 1, fill)
    assert (store.read(1, 1) / "state.json").read_text() == "{}"
    assert store.sizes() == {1: {1: 25_602}}
    store.delete(1, 1)
    assert store.sizes() == {}


def test_a_path_goes_before_the_query_of_a_url():
    assert join_address("s3://bucket/runs/?region=eu-west-1", "toy") == "s3://bucket/runs/toy?region=eu-west-1"
    assert join_address("file:///mnt/runs", "toy") == "file:///mnt/runs/toy"
    assert join_address("/mnt/runs/", "toy") == "/mnt/runs/toy"


def test_a_storage_is_tried_out_before_a_study_begins(tmp_path: Path):
    for address in (str(tmp_path / "shared"), (tmp_path / "bucket").as_uri()):
        try_writing(address, "toy.yaml")
    assert not list((tmp_path / "shared").iterdir()) and not list((tmp_path / "bucket").iterdir())
    (tmp_path / "file").write_text("")
    for address in (str(tmp_path / "file" / "x"), (tmp_path / "file" / "x").as_uri(), "nosuchscheme://bucket"):
        with pytest.raises(InputMistake, match=r"^toy\.yaml: storage: must take files, but .*cannot be used"):
            try_writing(address, "toy.yaml")
