"""Checks drawn receipts: exact labels, the same bytes for a seed, kept on disk, and quick."""

from __future__ import annotations

import importlib.util
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import shapely

from trainables.data import pixel_store
from trainables.synthetic import drawn_receipts as cache
from trainables.synthetic.drawn_receipts import drawn_receipts
from trainables.synthetic.fonts import FontsMissing, font_path
from trainables.synthetic.paper import draw_pose
from trainables.synthetic.receipt_layout import print_receipt, text_mask
from trainables.synthetic.receipts import draw_receipt


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path / "cache"))
    drawn_receipts.cache_clear()
    yield tmp_path / "cache"
    drawn_receipts.cache_clear()


@pytest.mark.parametrize("hardness", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [96, 256, 401])
def test_every_text_has_a_polygon_inside_the_picture(size: int, hardness: float) -> None:
    for seed in range(6):
        image, polygons, texts = draw_receipt(np.random.default_rng(seed), size, hardness)
        assert image.shape == (size, size, 3) and image.dtype == np.uint8
        assert len(polygons) == len(texts) > 0
        for polygon, text in zip(polygons, texts, strict=True):
            area = shapely.Polygon(polygon)
            assert polygon.dtype == np.float32 and len(polygon) >= 4 and text.strip()
            assert area.is_valid and area.area > 8
            assert polygon.min() >= 0 and polygon.max() <= size


def test_the_ink_of_a_flat_receipt_is_inside_the_polygons() -> None:
    """Of a print without lines, logos and codes: each dark pixel belongs to a text, each text has dark pixels."""
    sheet = print_receipt(np.random.default_rng(3), 600, 400, 22, clutter=0.0)
    left_over = sheet.ink.copy()
    for left, top, right, bottom in sheet.boxes:
        inside = sheet.ink[top:bottom, left:right] > 32
        assert inside.any(axis=1)[[0, -1]].all() and inside.any(axis=0)[[0, -1]].all()  # ink at all four sides
        left_over[top:bottom, left:right] = 0
    rows = np.flatnonzero((left_over > 32).any(axis=1))
    assert len(rows) < 0.1 * len(left_over)  # what remains are the separators


def test_texts_of_one_receipt_do_not_overlap() -> None:
    for seed in range(20):
        boxes = [shapely.box(*box) for box in print_receipt(np.random.default_rng(seed), 390, 300, 20, 0.5).boxes]
        for index, one in enumerate(boxes):
            assert all(one.intersection(other).area < 0.05 * one.area for other in boxes[:index]), seed


def test_the_way_from_sheet_to_picture_and_back_is_exact() -> None:
    for seed in range(10):
        pose = draw_pose(np.random.default_rng(seed), 160, 220, 256, hardness=1.0)
        points = np.random.default_rng(1).uniform(20, 140, size=(50, 2)).astype(np.float32)
        seen = pose.to_picture(points)
        x, y = pose.to_sheet(256)
        columns, rows = np.floor(seen).astype(int).T
        back = pose.to_picture(np.stack((x[rows, columns], y[rows, columns]), axis=1))
        assert np.abs(back - (np.floor(seen) + 0.5)).max() < 0.01  # each pixel's centre comes back to itself


def test_a_seed_draws_the_same_bytes_and_another_seed_others() -> None:
    first, polygons, texts = draw_receipt(np.random.default_rng(5), 160)
    again, same_polygons, same_texts = draw_receipt(np.random.default_rng(5), 160)
    other, _, _ = draw_receipt(np.random.default_rng(6), 160)
    assert np.array_equal(first, again) and texts == same_texts
    assert all(np.array_equal(a, b) for a, b in zip(polygons, same_polygons, strict=True))
    assert not np.array_equal(first, other)


def test_harder_receipts_have_fainter_ink() -> None:
    def contrast(hardness: float) -> float:
        values = []
        for seed in range(8):
            image, polygons, _ = draw_receipt(np.random.default_rng(seed), 256, hardness)
            for polygon in polygons:
                (left, top), (right, bottom) = np.floor(polygon.min(0)).astype(int), np.ceil(polygon.max(0)).astype(int)
                values.append(float(np.std(image[top:bottom, left:right].mean(axis=2))))
        return float(np.mean(values))

    assert contrast(0.0) > 1.3 * contrast(0.5) > 1.3 * contrast(1.0)


def test_receipts_are_in_korean_and_in_english() -> None:
    texts = [text for seed in range(12) for text in draw_receipt(np.random.default_rng(seed), 128)[2]]
    hangul = sum(any("가" <= sign <= "힣" for sign in text) for text in texts)
    assert 0.1 * len(texts) < hangul < 0.9 * len(texts)


def test_a_text_mask_is_cropped_to_its_ink() -> None:
    mask, below = text_mask("합계 12,000", "sans", 24)
    assert (mask[0] > 32).any() and (mask[-1] > 32).any() and (mask[:, 0] > 32).any() and (mask[:, -1] > 32).any()
    assert below >= 0


def test_a_set_is_drawn_once_and_then_read(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = drawn_receipts("train", 5, 128, seed=0, hardness=0.5)
    drawn_receipts.cache_clear()

    def not_again(*_: object) -> None:
        raise AssertionError("drawn twice")

    monkeypatch.setattr(cache, "draw_receipt", not_again)
    second = drawn_receipts("train", 5, 128, seed=0, hardness=0.5)
    assert [len(page) for page in first.polygons] == [len(page) for page in second.polygons]
    assert np.array_equal(first.image(4), second.image(4)) and first.texts == second.texts
    assert len(list(own_cache.iterdir())) == 1


def test_three_that_draw_the_same_set_at_once_leave_one(own_cache: Path) -> None:
    with ThreadPoolExecutor(3) as threads:
        sets = list(threads.map(lambda _: drawn_receipts("train", 3, 96, 0, 0.5), range(3)))
    assert len({receipts.image(2).tobytes() for receipts in sets}) == 1
    assert len(list(own_cache.iterdir())) == 1


def test_more_pages_begin_with_the_same_ones() -> None:
    few, many = (drawn_receipts("val", count, 128, 3, 0.5) for count in (2, 4))
    assert np.array_equal(few.image(1), many.image(1)) and few.texts == many.texts[:2]


def test_splits_and_seeds_draw_other_pages() -> None:
    images = [
        drawn_receipts(s, 2, 96, seed, 0.5).image(0)
        for s, seed in (("train", 0), ("val", 0), ("test", 0), ("train", 1))
    ]
    assert len({image.tobytes() for image in images}) == 4


@pytest.mark.parametrize("damage", ["labels.json", "pixels.bin", "shapes.npy"])
def test_a_set_that_a_power_cut_left_half_written_is_drawn_anew(own_cache: Path, damage: str) -> None:
    whole = drawn_receipts("train", 2, 96, 0, 0.5).image(1)
    (folder,) = own_cache.iterdir()
    (folder / damage).write_bytes(b"")
    drawn_receipts.cache_clear()
    pixel_store._mapped.cache_clear()
    assert np.array_equal(drawn_receipts("train", 2, 96, 0, 0.5).image(1), whole)
    assert [path.name for path in own_cache.iterdir()] == [folder.name]


def test_a_page_takes_less_than_thirty_milliseconds() -> None:
    draw_receipt(np.random.default_rng(0), 256)
    started = time.process_time()
    for seed in range(10):
        draw_receipt(np.random.default_rng(seed), 256)
    assert (time.process_time() - started) / 10 < 0.1  # 0.02 s on an idle core; threefold and more for a busy machine


def test_missing_fonts_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FontsMissing, match="pip install pylopdf-fonts-ko"):
        font_path("sans")
