"""Checks splits and folds of pages made by hand, what training receives of them, and the fingerprint of the data."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.harness.folders import DATA
from trainables.augment import Augment
from trainables.data import file_digest
from trainables.detection.data_fingerprint import fingerprint
from trainables.detection.dataset import PageDataset, collate, load_pages
from trainables.detection.page import letterbox

SQUARE = [[10, 10], [40, 10], [40, 20], [10, 20]]


def entry(image: str = "0.png", split: str | None = "train", **other: Any) -> dict[str, Any]:
    page = {"image": image, "width": 60, "height": 40, "split": split, "instances": [{"points": SQUARE}]} | other
    return {key: value for key, value in page.items() if value is not None}


def write(folder: Path, entries: Any, draw: bool = True) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "annotations.json").write_text(json.dumps(entries))
    if draw:
        for index, page in enumerate(entries):
            Image.fromarray(np.full((40, 60, 3), index, np.uint8)).save(folder / page["image"])
    return {"root": str(folder)}


def pool(folder: Path, count: int = 23) -> dict[str, Any]:
    splits = ["train", "val", "test"]
    return write(folder, [entry(f"{i}.png", splits[i % 3]) for i in range(count)])


def test_pages_are_read_by_split_in_the_order_of_the_file(tmp_path: Path) -> None:
    data = pool(tmp_path)
    assert [page.name for page in load_pages(data, "val")] == [f"{i}.png" for i in range(1, 23, 3)]
    page = load_pages(data, "train")[1]
    assert page.size == (60, 40) and page.read().shape == (40, 60, 3) and page.read()[0, 0, 0] == 3
    assert page.polygons[0].dtype == np.float32 and np.array_equal(page.polygons[0], SQUARE)
    assert page.ignore.tolist() == [False]


def test_folds_deal_train_and_val_anew_and_leave_test_alone(tmp_path: Path) -> None:
    data = pool(tmp_path)
    before = {page.name for split in ("train", "val") for page in load_pages(data, split)}
    held_out = []
    for fold in range(5):
        train, val = (
            {page.name for page in load_pages(data | {"folds": 5, "fold": fold}, s)} for s in ("train", "val")
        )
        assert train | val == before and not train & val and len(val) in (3, 4)
        held_out += sorted(val)
        test = [page.name for page in load_pages(data | {"folds": 5, "fold": fold}, "test")]
        assert test == [page.name for page in load_pages(data, "test")]
    assert sorted(held_out) == sorted(before)


def test_folds_do_not_depend_on_the_order_of_the_file_nor_on_the_splits_it_gives(tmp_path: Path) -> None:
    entries = [entry(f"{i}.png", None) for i in range(20)]
    one = write(tmp_path / "a", entries) | {"folds": 4, "fold": 2}
    other = write(tmp_path / "b", [e | {"split": "val"} for e in reversed(entries)]) | {"folds": 4, "fold": 2}
    assert {p.name for p in load_pages(one, "val")} == {p.name for p in load_pages(other, "val")}
    assert {p.name for p in load_pages(one | {"seed": 1}, "val")} != {p.name for p in load_pages(one, "val")}


def test_a_split_without_pages_is_a_mistake_but_for_test(tmp_path: Path) -> None:
    data = write(tmp_path, [entry()])
    assert load_pages(data, "test") == []
    with pytest.raises(ValueError, match="must hold pages of split val"):
        load_pages(data, "val")


def test_a_letterbox_keeps_the_shape_at_the_top_left() -> None:
    image = np.full((40, 60, 3), 200, np.uint8)
    for side in (32, 60, 300):
        square = letterbox(image, side)
        assert square.shape == (side, side, 3)
        rows, columns = (np.flatnonzero(square.any(axis=axis).any(axis=-1)) for axis in (1, 0))
        assert rows[[0, -1]].tolist() == [0, round(side * 2 / 3) - 1] and columns[[0, -1]].tolist() == [0, side - 1]
    assert letterbox(np.full((1, 5000, 3), 9, np.uint8), 64)[0].all()


def test_an_item_has_the_shapes_that_the_network_takes(tmp_path: Path) -> None:
    dataset = PageDataset(load_pages(pool(tmp_path), "train"), 96, None)
    item = dataset[0]
    assert item["image"].dtype == torch.uint8 and item["image"].shape == (3, 96, 96)
    for name in ("shrink_map", "shrink_mask", "threshold_map", "threshold_mask"):
        assert item[name].dtype == torch.float32 and item[name].shape == (1, 96, 96)
    assert dataset.scale(0) == pytest.approx(96 / 60)
    row, column = np.argwhere(item["shrink_map"][0].numpy()).mean(axis=0) + 0.5
    assert (column, row) == pytest.approx((25 * 1.6, 15 * 1.6), abs=0.5)
    batch = collate([dataset[0], dataset[1]])
    assert batch["image"].shape == (2, 3, 96, 96) and set(batch) == set(item)
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_an_item_is_decided_by_seed_epoch_and_index_alone(tmp_path: Path) -> None:
    pages = load_pages(pool(tmp_path), "train")
    augment = Augment(rotate_prob=1, noise_prob=1)
    one, two = PageDataset(pages, 64, augment, seed=1), PageDataset(pages, 64, augment, seed=1)
    one.set_epoch(2), two.set_epoch(2)
    _ = [one[i] for i in (3, 1)]
    assert equal(one[0], two[0])
    two.set_epoch(3)
    assert not equal(one[0], two[0])
    two.set_epoch(2)
    assert equal(one[0], two[0]) and not equal(one[0], PageDataset(pages, 64, augment, seed=2)[0])
    assert not equal(one[0], one[1])


def test_loader_processes_give_the_same_items_and_hear_of_a_new_epoch(tmp_path: Path) -> None:
    pages = load_pages(pool(tmp_path), "train")
    dataset = PageDataset(pages, 64, Augment(noise_prob=1), seed=4)
    loader = torch.utils.data.DataLoader(dataset, 2, num_workers=1, collate_fn=collate, persistent_workers=True)
    for epoch in (1, 2):
        dataset.set_epoch(epoch)
        alone = PageDataset(pages, 64, Augment(noise_prob=1), seed=4)
        alone.set_epoch(epoch)
        assert equal(next(iter(loader)), collate([alone[0], alone[1]]))


def test_drawn_pages_come_by_split_and_by_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path))
    data = {"root": "synthetic/receipts", "pages": 10, "size": 96, "seed": 91}
    train, val, test = (load_pages(data, split) for split in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (10, 4, 4)
    assert train[0].read().shape == (96, 96, 3) and train[0].size == (96, 96)
    assert len(load_pages(data | {"folds": 7, "fold": 6}, "val")) == 2
    again = pickle.loads(pickle.dumps(train[1]))  # to loader processes
    assert np.array_equal(again.read(), train[1].read())


def test_a_fingerprint_changes_with_labels_and_with_images_and_not_with_folds(tmp_path: Path) -> None:
    data = pool(tmp_path, 6)
    first = fingerprint(data)
    assert first == fingerprint(data) == fingerprint(data | {"folds": 3}) and len(first) == 16
    Image.fromarray(np.full((40, 60, 3), 77, np.uint8)).save(tmp_path / "3.png")
    second = fingerprint(data)
    assert second != first
    (tmp_path / "4.png").unlink()
    third = fingerprint(data)
    assert third not in (first, second)
    write(tmp_path, [entry("0.png", width=61)], draw=False)
    assert fingerprint(data) not in (first, second, third)


def test_the_fingerprint_of_large_data_still_sees_a_changed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pool(tmp_path, 3)
    monkeypatch.setattr(file_digest, "HASHED_WHOLE", 0)
    monkeypatch.setattr(file_digest, "PIECE", 16)
    first = fingerprint(data)
    content = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(content[:-1] + b"x")
    assert fingerprint(data) != first


def test_the_fingerprint_of_drawn_pages_is_that_of_their_drawing() -> None:
    data = {"root": "synthetic/receipts", "pages": 10, "size": 96}
    changes = [{"pages": 11}, {"size": 97}, {"seed": 1}, {"hardness": 0.6}]
    assert len({fingerprint(data | change) for change in [{}, *changes]}) == 5
    assert fingerprint(data) == fingerprint(data | {"seed": 0, "folds": 5, "fold": 1})


@pytest.mark.data
def test_real_pages_are_read_with_their_polygons() -> None:
    data = {"root": str(DATA / "tapuscorpus")}
    pages = {split: load_pages(data, split) for split in ("train", "val", "test")}
    assert {split: len(found) for split, found in pages.items()} == {"train": 66, "val": 22, "test": 22}
    assert sum(len(page.polygons) for found in pages.values() for page in found) == 3141
    item = PageDataset(pages["train"], 320, Augment(rotate_prob=1, crop_prob=1))[0]
    assert item["shrink_map"].sum() > 100
