"""Checks postprocess.py: polygons out of drawn maps, and growing back against Clipper."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pyclipper
import pytest
import shapely

from trainables.detection.config import Config
from trainables.detection.postprocess import Detections, find_polygons, find_text, mean_inside, unclip

SETTINGS = {"thresh": 0.3, "box_thresh": 0.5, "unclip_ratio": 1.5, "max_candidates": 100}


def find(probability: np.ndarray, **settings: float) -> Detections:
    return find_polygons(probability.astype(np.float32), **{**SETTINGS, **settings})


def rectangle(x: int, y: int, width: int, height: int, value: float = 0.9, size: int = 128) -> np.ndarray:
    probability = np.zeros((size, size), np.float32)
    probability[y : y + height, x : x + width] = value
    return probability


def test_an_empty_map_holds_no_text() -> None:
    found = find(np.zeros((64, 64)))
    assert found.polygons == () and found.scores.shape == (0,)


def test_a_rectangle_is_grown_by_area_times_ratio_over_perimeter() -> None:
    found = find(rectangle(40, 60, 30, 8))
    distance = (30 * 8) * 1.5 / (2 * (30 + 8))
    x0, y0, x1, y1 = shapely.Polygon(found.polygons[0]).bounds
    assert (x0, y0, x1, y1) == pytest.approx((40 - distance, 60 - distance, 70 + distance, 68 + distance), abs=0.7)
    assert found.scores.tolist() == pytest.approx([0.9])


@pytest.mark.parametrize("seed", range(5))
def test_growing_agrees_with_clipper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.random(12)) * 2 * np.pi
    points = (50 + (20 + 8 * rng.random(12))[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)).round()
    contour = points.astype(np.int32)
    [grown] = unclip([contour], 1.5)
    outline = shapely.Polygon(contour + 0.5).buffer(0.5)
    distance = outline.area * 1.5 / outline.length
    clipper = pyclipper.PyclipperOffset(2.0, 10.0)
    clipper.AddPath(
        (np.array(outline.exterior.coords) * 1000).astype(int).tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON
    )
    [expected] = clipper.Execute(distance * 1000)
    difference = shapely.Polygon(grown).symmetric_difference(shapely.Polygon(np.array(expected) / 1000))
    assert difference.area < 0.04 * outline.area


def test_lines_shrunk_to_one_pixel_are_still_found() -> None:
    for probability in (rectangle(20, 30, 60, 1), rectangle(30, 20, 1, 60)):
        [polygon] = find(probability, unclip_ratio=3.0).polygons
        x0, y0, x1, y1 = shapely.Polygon(polygon).bounds
        assert 3 <= min(x1 - x0, y1 - y0) <= 6 and max(x1 - x0, y1 - y0) >= 60


def test_a_speck_is_no_text() -> None:
    assert find(rectangle(30, 30, 1, 1)).polygons == ()


def test_thresh_decides_which_pixels_and_box_thresh_which_regions() -> None:
    probability = np.maximum(rectangle(10, 10, 30, 8, 0.4), rectangle(10, 60, 30, 8, 0.8))
    assert len(find(probability, thresh=0.3, box_thresh=0.3).polygons) == 2
    assert len(find(probability, thresh=0.3, box_thresh=0.6).polygons) == 1
    assert len(find(probability, thresh=0.5, box_thresh=0.3).polygons) == 1
    assert len(find(probability, thresh=0.9, box_thresh=0.0).polygons) == 0


def test_the_largest_regions_are_looked_at_first() -> None:
    probability = sum(rectangle(10, 15 * i + 2, 20 + 10 * i, 6) for i in range(5))
    polygons = find(probability, max_candidates=2).polygons
    assert sorted(round(float(p[:, 1].mean())) // 15 for p in polygons) == [3, 4]


def test_the_score_is_the_mean_inside_the_outline_not_inside_its_box() -> None:
    probability = np.zeros((64, 64), np.float32)
    triangle = np.array([[10, 10], [50, 10], [10, 50]], np.int32)
    cv2.fillPoly(probability, [triangle], 0.8)
    assert mean_inside(probability, triangle) == pytest.approx(0.8)
    assert probability[10:51, 10:51].mean() < 0.5


def test_curved_text_keeps_its_shape() -> None:
    probability = np.zeros((128, 128), np.float32)
    cv2.ellipse(probability, (64, 90), (50, 50), 0, 200, 340, 0.9, 6)
    [polygon] = find(probability).polygons
    area = shapely.Polygon(polygon)
    assert area.is_valid and area.area < 0.6 * area.convex_hull.area and len(polygon) > 8


def test_polygons_come_back_in_pixels_of_the_page_and_stay_on_it() -> None:
    probability = rectangle(0, 100, 90, 6, size=128)  # letterboxed: a page of 200 x 256 at half size, 100 x 128
    probability[20:30, 105:125] = 1.0  # Beside the page is no text.
    found = find_text(probability, Config(resolution=128), scale=0.5, size=(200, 256))
    assert len(found.polygons) == 1
    x0, y0, x1, y1 = shapely.Polygon(found.polygons[0]).bounds
    assert x0 == 0 and (y0 + y1) / 2 == pytest.approx(206, abs=1.5) and x1 <= 200 and y1 <= 256


def test_the_worst_map_takes_less_than_a_second() -> None:
    noise = np.random.default_rng(0).random((320, 320))
    for thresh in (0.49, 0.5, 0.8):  # A net that has learnt nothing draws one ragged region, or thousands.
        started = time.process_time()  # other processes do not count
        find(noise, thresh=thresh, box_thresh=0.1, max_candidates=1000)
        assert time.process_time() - started < 1
