"""Checks splits and folds of crops made by hand, odd pictures, the batches of training, and the fingerprint."""

from __future__ import annotations

import csv
import os
import pickle
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.harness.folders import DATA
from trainables import LocalRun
from trainables.data.batches import evaluation_batches, training_batches
from trainables.data.crop_cache import resize_crop
from trainables.data.image_file import BadImage, Pixels
from trainables.data.pixel_store import _mapped
from trainables.recognition.charset import Charset
from trainables.recognition.config import Config
from trainables.recognition.data_fingerprint import fingerprint
from trainables.recognition.dataset import Batch, CropDataset, charset_of, collate, crop_size, load_crops
from trainables.synthetic.drawn_plates import drawn_plates

SPLIT_NAMES = ("train", "val", "test")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path / "cache"))
    drawn_plates.cache_clear()
    yield tmp_path / "cache"
    drawn_plates.cache_clear()


def noisy(index: int, width: int = 60) -> Pixels:
    return np.random.default_rng(index).integers(0, 256, (20, width, 3), dtype=np.uint8)


def write(
    folder: Path, rows: Sequence[Sequence[str]], header: str = "path,text,split", draw: bool = True
) -> dict[str, Any]:
    """Writes labels.csv and a picture for each row."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    for index, row in enumerate(rows if draw else []):
        Image.fromarray(noisy(index, 20 + 7 * (index % 5))).save(folder / row[0])
    return {"root": str(folder)}


def pool(folder: Path, count: int = 23, draw: bool = True) -> dict[str, Any]:
    return write(folder, [(f"{i}.png", f"{i:03d}가", SPLIT_NAMES[i % 3]) for i in range(count)], draw=draw)


def add_noise(images: Sequence[Pixels], rng: np.random.Generator) -> list[Pixels]:
    return [image ^ rng.integers(0, 2, image.shape, dtype=np.uint8) for image in images]


def make(data: dict[str, Any], split: Any = "train", augment: Any = None, seed: int = 0, **config: Any) -> CropDataset:
    return CropDataset(load_crops(data, split), charset_of(data), Config(**config), augment, seed)


def test_crops_are_read_by_split_in_the_order_of_the_labels(tmp_path: Path) -> None:
    data = pool(tmp_path)
    crops = load_crops(data, "val")
    assert [crop.name for crop in crops] == [f"{i}.png" for i in range(1, 23, 3)]
    assert crops[1].text == "004가" and np.array_equal(crops[1].read(), noisy(4, 48)) and crops[1].size() == (48, 20)


def test_a_split_without_crops_is_a_mistake_but_for_test(tmp_path: Path) -> None:
    data = write(tmp_path, [("0.png", "1", "train")])
    assert load_crops(data, "test") == []
    with pytest.raises(ValueError, match="must hold crops of split val"):
        load_crops(data, "val")


@pytest.mark.parametrize("column", ["group", "page"])
def test_folds_never_part_a_group(tmp_path: Path, column: str) -> None:
    rows = [(f"{i}.png", str(i), SPLIT_NAMES[i % 3], f"car {i % 7}" if i % 5 else "") for i in range(42)]
    data = write(tmp_path, rows, f"path,text,split,{column}", draw=True)
    test = [crop.name for crop in load_crops(data, "test")]
    scored: list[str] = []
    for fold in range(4):
        train, val = (load_crops(data | {"folds": 4, "fold": fold}, split) for split in ("train", "val"))
        assert not {crop.group for crop in train} & {crop.group for crop in val}
        assert {crop.name for crop in train + val} | set(test) == {row[0] for row in rows} and 5 <= len(val) <= 9
        assert [crop.name for crop in load_crops(data | {"folds": 4, "fold": fold}, "test")] == test
        scored += [crop.name for crop in val]
    assert len(scored) == len(set(scored)) == 28


def test_folds_keep_crops_of_one_text_together_where_no_group_is_said(tmp_path: Path) -> None:
    data = write(tmp_path, [(f"{i}.png", f"plate {i // 4}", "") for i in range(40)]) | {"folds": 5}
    train, val = (load_crops(data, split) for split in ("train", "val"))
    assert len(val) == 8 and not {crop.text for crop in train} & {crop.text for crop in val}
    reversed_rows = [(f"{i}.png", f"plate {i // 4}", "val") for i in reversed(range(40))]
    other = load_crops(write(tmp_path, reversed_rows, draw=False) | {"folds": 5}, "val")
    assert {crop.name for crop in other} == {crop.name for crop in val}


def test_the_charset_is_that_of_train_or_that_of_the_file(tmp_path: Path) -> None:
    data = write(tmp_path, [("0.png", "나1", "train"), ("1.png", "闽", "val")])
    assert charset_of(data) == Charset(("1", "나"))
    (tmp_path / "charset.txt").write_text("闽\n나\n1\n", encoding="utf-8")
    assert charset_of(data | {"charset": "charset.txt"}) == Charset(("闽", "나", "1"))


def test_a_batch_has_the_shapes_that_the_network_takes(tmp_path: Path) -> None:
    rows = [("0.png", "가12", "train"), ("1.png", "2", "train"), ("2.png", "1234567가", "train")]
    dataset = make(write(tmp_path, rows), height=24, width=80)
    batch = collate(dataset.__getitems__([2, 0, 1]))
    assert batch["image"].dtype == torch.uint8 and batch["image"].shape == (3, 3, 24, 80)
    assert batch["valid_width"].tolist() == [80, 80, 80] and batch["target_length"].tolist() == [8, 3, 1]
    assert batch["target"].tolist() == [[1, 2, 3, 4, 5, 6, 7, 8], [8, 1, 2, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0, 0]]
    assert all(batch[name].dtype == torch.int64 for name in ("valid_width", "target", "target_length"))
    wanted = resize_crop(dataset.crops[0].read(), crop_size(Config(height=24, width=80)))
    assert np.array_equal(batch["image"][1].permute(1, 2, 0), wanted)
    with pytest.raises(IndexError):
        dataset[3]


def test_lines_keep_their_proportions_and_are_padded_on_the_right(tmp_path: Path) -> None:
    dataset = make(pool(tmp_path), height=20, width=0, max_width=44)
    widths = [min(20 + 7 * (i % 5), 44) for i in range(0, 23, 3)]
    batch = dataset.__getitems__([0, 1, 2, 3])
    assert batch["image"].shape == (4, 3, 20, 64) and batch["valid_width"].tolist() == widths[:4] == [20, 41, 27, 44]
    for image, width in zip(batch["image"], widths, strict=False):
        assert image[..., :width].any(dim=0).all(dim=0).any() and not image[..., width:].any()


def test_single_crops_join_to_the_batch_they_would_have_been(tmp_path: Path) -> None:
    for width in (0, 60):
        dataset = make(pool(tmp_path), height=32, width=width)
        whole, joined = dataset.__getitems__([4, 0, 2]), collate([dataset[index] for index in (4, 0, 2)])
        assert whole.keys() == joined.keys() and all(torch.equal(whole[name], joined[name]) for name in whole)


def equal(one: Batch, other: Batch) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_batch_is_decided_by_seed_epoch_and_indices_alone(tmp_path: Path) -> None:
    data = pool(tmp_path)
    one, two = make(data, augment=add_noise, seed=1), make(data, augment=add_noise, seed=1)
    one.set_epoch(2), two.set_epoch(2)
    _ = [one[index] for index in (3, 1)]
    indices = [5, 0, 2]
    assert equal(one.__getitems__(indices), two.__getitems__(indices))
    two.set_epoch(3)
    assert not equal(one.__getitems__(indices), two.__getitems__(indices))
    two.set_epoch(2)
    assert equal(one.__getitems__(indices), two.__getitems__(indices))
    other = make(data, augment=add_noise, seed=2)
    other.set_epoch(2)
    assert not equal(one.__getitems__(indices), other.__getitems__(indices))
    plain = make(data)
    assert equal(plain[0], make(data, seed=9)[0])


@pytest.mark.parametrize("width", [0, 100])
def test_loader_processes_give_the_same_batches_and_hear_of_a_new_epoch(tmp_path: Path, width: int) -> None:
    dataset, run = make(pool(tmp_path), augment=add_noise, width=width), LocalRun(tmp_path, seed=3)
    epochs = []
    for workers in (0, 2):
        config = Config(batch_size=3, workers=workers, width=width)
        epochs.append([])
        for epoch in (1, 2):
            dataset.set_epoch(epoch)
            epochs[-1] += list(training_batches(dataset, collate, config, run, epoch))
    assert len(epochs[0]) == 4 and all(equal(a, b) for a, b in zip(*epochs, strict=True))
    assert not equal(epochs[0][0], epochs[0][2])
    scored = list(evaluation_batches(dataset, collate, Config(batch_size=3, workers=0), run))
    assert [len(batch["image"]) for batch in scored] == [3, 3, 2]


def test_a_dataset_is_handed_to_another_process_without_its_pixels(tmp_path: Path) -> None:
    dataset = make(pool(tmp_path), width=1000, height=100)
    sent = pickle.dumps(dataset.store)
    assert len(sent) < 10_000 and np.array_equal(pickle.loads(sent).read(2), dataset.store.read(2))


def test_characters_that_the_charset_lacks_are_left_out_of_the_target(tmp_path: Path) -> None:
    data = write(tmp_path, [("0.png", "나1", "train"), ("1.png", "闽1나", "val"), ("2.png", "闽", "val")])
    batch = make(data, "val").__getitems__([0, 1])
    assert batch["target"].tolist() == [[1, 2], [0, 0]] and batch["target_length"].tolist() == [2, 0]


def odd_pictures() -> Iterator[tuple[str, Image.Image]]:
    """Returns names and pictures; the left half of each is black, the right half white."""
    half = np.zeros((20, 60), np.uint8)
    half[:, 30:] = 255
    rgb = Image.fromarray(half).convert("RGB")
    yield "gray.png", Image.fromarray(half)
    yield "bits.png", Image.fromarray(half).convert("1")
    yield "palette.png", rgb.quantize(4)
    yield "four_channels.png", Image.fromarray(np.dstack([half, half, half, np.full_like(half, 255)]))
    yield "transparent.png", Image.fromarray(np.dstack([np.zeros((20, 60, 3), np.uint8), 255 - half]))
    yield "gray_alpha.png", Image.fromarray(np.dstack([half, np.full_like(half, 255)]))
    yield "sixteen_bits.png", Image.fromarray(half.astype(np.uint16) * 257)
    yield "sixteen_bits.tif", Image.fromarray(half.astype(np.uint16) * 257)
    yield "cmyk.jpg", rgb.convert("CMYK")
    yield "cmyk.tif", rgb.convert("CMYK")
    yield "plain.bmp", rgb
    yield "plain.webp", rgb
    yield "animated.gif", rgb


@pytest.mark.parametrize(("name", "picture"), [*odd_pictures()], ids=[name for name, _ in odd_pictures()])
def test_pictures_of_any_kind_are_the_same_crop(tmp_path: Path, name: str, picture: Image.Image) -> None:
    data = write(tmp_path, [(name, "1", "train")], draw=False)
    picture.save(tmp_path / name, **({"quality": 100} if name.endswith((".jpg", ".webp")) else {}))
    image = make(data, width=60)[0]["image"][0].float()
    assert image[:, 4:-4, 4:26].max() < 12 and image[:, 4:-4, 34:-4].min() > 243


@pytest.mark.parametrize(("width", "wanted"), [(0, 32), (100, 100)])
def test_a_crop_of_one_pixel_is_a_crop(tmp_path: Path, width: int, wanted: int) -> None:
    data = write(tmp_path, [("dot.png", "1", "train")], draw=False)
    Image.fromarray(np.full((1, 1, 3), 77, np.uint8)).save(tmp_path / "dot.png")
    batch = make(data, width=width)[0]
    assert batch["valid_width"].tolist() == [wanted] and (batch["image"] == 77).all()


def test_a_line_of_two_hundred_characters_is_a_target(tmp_path: Path) -> None:
    text = "0123456789" * 20
    data = write(tmp_path, [("0.png", text, "train"), ("1.png", "7", "train")])
    batch = make(data).__getitems__([0, 1])
    assert batch["target"].shape == (2, 200) and batch["target"][0].tolist() == [int(c) + 1 for c in text]
    assert batch["target_length"].tolist() == [200, 1]


def test_crops_that_cannot_be_read_are_all_named(tmp_path: Path) -> None:
    data = pool(tmp_path, 30)
    for name in ("0.png", "6.png"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:300])
    (tmp_path / "3.png").write_bytes(b"")
    with pytest.raises(BadImage) as caught:
        make(data)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [str(tmp_path / f"{i}.png") for i in (0, 3, 6)]


def test_a_picture_that_was_replaced_is_read_anew_even_if_its_time_was_set_back(tmp_path: Path) -> None:
    data = pool(tmp_path, 6)
    before = make(data)[0]["image"]
    times = (tmp_path / "0.png").stat()
    shutil.copy(tmp_path / "5.png", tmp_path / "0.png")
    os.utime(tmp_path / "0.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not torch.equal(make(data)[0]["image"], before)


def test_a_fingerprint_changes_with_labels_crops_and_charset_and_not_with_folds(tmp_path: Path) -> None:
    data = pool(tmp_path, 6)
    seen = [fingerprint(data)]
    assert fingerprint(data) == fingerprint(data | {"folds": 3, "fold": 1}) == seen[0] and len(seen[0]) == 16

    def changed() -> bool:
        seen.append(fingerprint(data))
        return len(set(seen)) == len(seen)

    Image.fromarray(noisy(77)).save(tmp_path / "3.png")
    assert changed()
    (tmp_path / "4.png").unlink()
    assert changed()
    write(tmp_path, [("0.png", "1", "train")], draw=False)
    assert changed()
    (tmp_path / "charset.txt").write_text("1\n")
    data["charset"] = "charset.txt"
    assert changed()
    (tmp_path / "charset.txt").write_text("1\n2\n")
    assert changed()
    for name in ("train.txt", "val.txt"):
        (tmp_path / name).write_text("0.png\t1\n")
    data["labels"] = {"train": "train.txt"}
    assert changed()
    data["labels"] = {"val": "train.txt"}
    assert changed()


PLATES = {"root": "synthetic/plates", "crops": 20, "hardness": 0.3}


def test_drawn_plates_come_by_split_and_by_fold_and_no_plate_twice(own_cache: Path) -> None:
    splits = {split: load_crops(PLATES, split) for split in SPLIT_NAMES}
    assert {split: len(crops) for split, crops in splits.items()} == {"train": 20, "val": 6, "test": 6}
    texts = [crop.text for crops in splits.values() for crop in crops]
    assert len(set(texts)) == 32
    assert charset_of(PLATES).unknown(texts) == {} and charset_of(PLATES | {"crops": 4}) == charset_of(PLATES)
    train, val = (load_crops(PLATES | {"folds": 13, "fold": 4}, split) for split in ("train", "val"))
    assert (len(train), len(val)) == (24, 2)
    image = splits["val"][2].read()
    assert image.shape == (*splits["val"][2].size()[::-1], 3) and image.dtype == np.uint8
    assert np.array_equal(pickle.loads(pickle.dumps(splits["val"][2])).read(), image)  # to loader processes
    assert make(PLATES).__getitems__(range(4))["image"].shape == (4, 3, 32, 100)


def test_plates_are_drawn_once_and_other_settings_draw_others(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = load_crops(PLATES, "train")[3].read()
    drawn_plates.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr("trainables.synthetic.drawn_plates.draw_plate", None)
        assert np.array_equal(load_crops(PLATES, "train")[3].read(), image)
    for change in ({"seed": 1}, {"hardness": 0.9}):
        assert not np.array_equal(load_crops(PLATES | change, "train")[3].read(), image)
    more = load_crops(PLATES | {"crops": 21}, "train")
    assert np.array_equal(more[3].read(), image)


@pytest.mark.parametrize("damage", ["texts.json", "pixels.bin", "shapes.npy"])
def test_a_set_that_a_power_cut_left_half_written_is_drawn_anew(own_cache: Path, damage: str) -> None:
    image = load_crops(PLATES, "val")[0].read()
    (folder,) = own_cache.iterdir()
    (folder / damage).write_bytes(b"")
    drawn_plates.cache_clear()
    _mapped.cache_clear()
    assert np.array_equal(load_crops(PLATES, "val")[0].read(), image) and list(own_cache.iterdir()) == [folder]


def test_a_text_that_was_drawn_before_is_drawn_anew(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    def few_texts(rng: np.random.Generator, hardness: float) -> tuple[Pixels, str]:
        return noisy(0), f"{rng.integers(13):02d}"

    monkeypatch.setattr("trainables.synthetic.drawn_plates.draw_plate", few_texts)
    texts = [crop.text for split in SPLIT_NAMES for crop in load_crops(PLATES | {"crops": 5}, split)]
    assert len(texts) == len(set(texts)) == 13


def test_the_fingerprint_of_drawn_plates_is_that_of_their_drawing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "charset.txt").write_text("1")
    changes = [{}, {"crops": 21}, {"seed": 1}, {"hardness": 0.6}, {"charset": str(tmp_path / "charset.txt")}]
    found = {fingerprint(PLATES | change) for change in changes}
    assert len(found) == 5 and fingerprint(PLATES | {"seed": 0, "folds": 5, "fold": 1}) in found
    monkeypatch.setattr("trainables.recognition.data_fingerprint.PLATE_DRAWING_VERSION", -1)
    assert fingerprint(PLATES) not in found


@pytest.mark.data
@pytest.mark.parametrize(("name", "width"), [("ccpd_plates", 100), ("tapuscorpus_lines", 0)])
def test_real_crops_become_batches(name: str, width: int) -> None:
    data = {"root": str(DATA / name)}
    dataset = make(data, width=width)
    batch = dataset.__getitems__(range(8))
    assert batch["image"].float().std() > 20 and (batch["target_length"] > 0).all()
    texts = [dataset.crops[index].text for index in range(8)]
    charset = charset_of(data)
    rows = zip(batch["target"], batch["target_length"], strict=True)
    assert [charset.decode(row[:length].tolist()) for row, length in rows] == texts
