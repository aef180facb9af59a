"""Checks what the cache of resized crops holds, when it is made anew, who shares it, and what full disks do to it."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from trainables.data import crop_cache, disk_cache, pixel_store
from trainables.data.crop_cache import CropSize, cached_crops, resize_crop
from trainables.data.image_file import BadImage, Pixels

FIXED, KEPT = CropSize(32, 100), CropSize(32, 0, max_width=200)


@dataclass
class Drawn:
    """Gives random pixels, and counts how often it is decoded."""

    seed: int
    height: int = 24
    width: int = 94
    broken: bool = False
    reads: int = 0

    def read(self) -> Pixels:
        self.reads += 1
        if self.broken:
            raise BadImage(f"crop {self.seed}: is broken")
        return np.random.default_rng(self.seed).integers(0, 256, (self.height, self.width, 3), dtype=np.uint8)

    def identity(self) -> str:
        return f"{self.seed} {self.height} {self.width}"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path / "cache"))
    pixel_store._mapped.cache_clear()
    yield tmp_path / "cache"


def mixed(count: int = 5) -> list[Drawn]:
    return [Drawn(seed, 10 + seed, 30 * (seed + 1)) for seed in range(count)]


@pytest.mark.parametrize("size", [FIXED, KEPT])
def test_a_crop_of_the_cache_is_the_crop_resized(size: CropSize) -> None:
    crops = mixed()
    store = cached_crops(crops, size)
    assert len(store) == 5 and store.on_disk
    for index, image in zip((3, 0, 3), store.read_batch([3, 0, 3]), strict=True):
        assert image.dtype == np.uint8 and np.array_equal(image, resize_crop(crops[index].read(), size))
        assert np.array_equal(image, store.read(index))
    store.read_batch([1])[0][:] = 0
    assert store.read(1).any()  # The caller owns the batch.


def test_widths_follow_the_proportions_within_bounds() -> None:
    assert KEPT.fitted_width(94, 24) == round(94 * 32 / 24) and KEPT.fitted_width(10_000, 24) == 200
    assert KEPT.fitted_width(1, 500) == 8 and FIXED.fitted_width(10_000, 24) == 100
    shapes = [resize_crop(np.zeros((h, w, 3), np.uint8), KEPT).shape for h, w in ((1, 1), (40, 1), (1, 3000), (32, 77))]
    assert shapes == [(32, 32, 3), (32, 8, 3), (32, 200, 3), (32, 77, 3)]


def test_shrinking_averages_and_growing_interpolates() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 400, 3), dtype=np.uint8)
    blocks = image.reshape(32, 2, 100, 4, 3).mean(axis=(1, 3))
    assert np.abs(resize_crop(image, FIXED) - blocks).max() <= 0.5
    small = image[:16, :50]
    assert np.array_equal(resize_crop(small, FIXED), cv2.resize(small, (100, 32), interpolation=cv2.INTER_LINEAR))
    flat = np.zeros((8, 2000, 3), np.uint8)
    flat[:, ::2] = 200  # From afar, stripes of a pixel are gray.
    assert np.ptp(resize_crop(flat, FIXED)[:, 1:-1]) == 0


def test_crops_are_decoded_once_and_then_read(own_cache: Path) -> None:
    crops = mixed()
    first = cached_crops(crops, FIXED).read_batch(range(5))
    again = cached_crops(crops, FIXED).read_batch(range(5))
    assert np.array_equal(first, again) and [crop.reads for crop in crops] == [1] * 5
    assert len(list(own_cache.iterdir())) == 1


def test_other_crops_another_order_and_another_size_are_another_cache(own_cache: Path) -> None:
    crops = mixed()
    for chosen, size in (
        (crops, FIXED),
        (crops[::-1], FIXED),
        (crops[:3], FIXED),
        (crops, KEPT),
        (crops, CropSize(48, 100)),
    ):
        cached_crops(chosen, size)
    assert len(list(own_cache.iterdir())) == 5
    crops[2].seed = 99
    assert np.array_equal(cached_crops(crops, FIXED).read(2), resize_crop(crops[2].read(), FIXED))


def test_three_that_want_the_same_crops_at_once_decode_them_once(own_cache: Path) -> None:
    crops = mixed(40)
    with ThreadPoolExecutor(3) as threads:
        stores = list(threads.map(lambda _: cached_crops(crops, FIXED), range(3)))
    assert len({store.read(7).tobytes() for store in stores}) == 1
    assert [crop.reads for crop in crops] == [1] * 40 and len(list(own_cache.iterdir())) == 1


def test_two_that_decode_the_same_crops_where_locks_do_not_work_leave_one(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr(disk_cache.fcntl, "flock", no_locks)
    with ThreadPoolExecutor(3) as threads:
        stores = list(threads.map(lambda _: cached_crops(mixed(40), FIXED), range(3)))
    assert len({store.read(7).tobytes() for store in stores}) == 1 and len(list(own_cache.iterdir())) == 1


KILLED = """
import sys, time
from pathlib import Path
from trainables.data.disk_cache import make_once

def fill(folder):
    (folder / "pixels.bin").write_bytes(b"half of it")
    print("filling", flush=True)
    time.sleep(600)

make_once(Path(sys.argv[1]), lambda folder: folder.exists(), fill)
"""


def test_a_process_killed_while_it_decodes_stops_nobody_and_its_half_is_never_read(own_cache: Path) -> None:
    crops = mixed()
    name = f"crops-{crop_cache._key(crops, FIXED)}"
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(own_cache / name)], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None and killed.stdout.readline() == "filling\n"
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(cached_crops, crops, FIXED)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        store = waiting.result()
    assert np.array_equal(store.read(4), resize_crop(crops[4].read(), FIXED))
    (left,) = [folder for folder in own_cache.iterdir() if folder.name != name]
    os.utime(left, (time.time() - 2 * 86400,) * 2)
    (own_cache / name / "pixels.bin").write_bytes(b"")
    cached_crops(crops, FIXED)
    assert [folder.name for folder in own_cache.iterdir()] == [name]


@pytest.mark.parametrize("damage", ["pixels.bin", "shapes.npy"])
@pytest.mark.parametrize("content", [None, b"", b"\0" * 1000])
def test_what_a_power_cut_left_is_made_anew(own_cache: Path, damage: str, content: bytes | None) -> None:
    crops = mixed()
    whole = cached_crops(crops, FIXED).read(1)
    (folder,) = own_cache.iterdir()
    (folder / damage).unlink() if content is None else (folder / damage).write_bytes(content)
    pixel_store._mapped.cache_clear()
    assert np.array_equal(cached_crops(crops, FIXED).read(1), whole)
    assert [crop.reads for crop in crops] == [2] * 5 and list(own_cache.iterdir()) == [folder]


@pytest.mark.parametrize("folder", ["/proc/nightsweep", "FILE/cache"], ids=["read-only", "below a file"])
def test_crops_stay_in_memory_where_the_cache_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NIGHTSWEEP_CACHE", folder.replace("FILE", str(tmp_path / "file")))
    with pytest.warns(RuntimeWarning, match="must hold the 5 crops that trials share, but .* NIGHTSWEEP_CACHE"):
        store = cached_crops(mixed(), KEPT)
    assert not store.on_disk and np.array_equal(store.read(3), resize_crop(mixed()[3].read(), KEPT))
    assert [image.shape[1] for image in store.read_batch([4, 0])] == [200, 96]


def test_a_disk_that_is_full_in_the_middle_leaves_nothing_behind(own_cache: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # The third crop does not fit any more.
    try:
        with pytest.warns(RuntimeWarning, match="make room there"):
            store = cached_crops(mixed(), FIXED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not store.on_disk and np.array_equal(store.read(4), resize_crop(mixed()[4].read(), FIXED))
    assert list(own_cache.iterdir()) == []


def test_crops_that_cannot_be_read_are_all_named_and_nothing_is_kept(own_cache: Path) -> None:
    crops = mixed(50)
    crops[3].broken = crops[40].broken = True
    with pytest.raises(BadImage) as caught:
        cached_crops(crops, FIXED)
    assert str(caught.value) == "crop 3: is broken\ncrop 40: is broken" and list(own_cache.iterdir()) == []
    for crop in crops:
        crop.broken = True
    with pytest.raises(BadImage, match="and 30 more that cannot be read"):
        cached_crops(crops, FIXED)


def test_another_process_gets_the_name_of_the_file_and_not_its_content() -> None:
    store = cached_crops([Drawn(seed) for seed in range(200)], FIXED)
    sent = pickle.dumps(store)
    assert len(sent) < 10_000 < 200 * 32 * 100 * 3
    assert np.array_equal(pickle.loads(sent).read(150), store.read(150))


def test_a_cache_that_nobody_used_for_a_month_is_removed_and_nothing_else(own_cache: Path) -> None:
    cached_crops(mixed(2), FIXED)
    (old,) = own_cache.iterdir()
    (own_cache / "crops-of-last-summer").mkdir()
    for folder in own_cache.iterdir():
        os.utime(folder, (0, 0))
    cached_crops(mixed(2), FIXED)  # It is in use again.
    cached_crops(mixed(3), FIXED)
    assert old.exists()
    os.utime(old, (0, 0))
    cached_crops(mixed(4), FIXED)
    assert not old.exists() and (own_cache / "crops-of-last-summer").exists() and len(list(own_cache.iterdir())) == 3


def test_no_crops_are_no_mistake() -> None:
    assert len(cached_crops([], FIXED)) == 0
