"""Checks targets against shapely's areas and a distance by brute force."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import shapely

from trainables.detection.targets import (
    THRESHOLD_HIGH,
    THRESHOLD_LOW,
    draw_targets,
    offset_distance,
    offset_polygon,
    shrink_polygon,
)

QUAD = np.array([[20, 30], [110, 22], [112, 44], [22, 50]], np.float32)
BENT = np.array([[10, 60], [50, 52], [90, 60], [130, 50], [132, 68], [90, 79], [50, 70], [12, 78]], np.float32)
RAGGED = np.array(
    [[0, 0], [40, 0], [40, 8], [60, 8], [60, 0], [100, 0], [100, 20], [60, 20], [60, 12], [40, 12], [40, 20], [0, 20]]
)
SHAPES = pytest.mark.parametrize("polygon", [QUAD, QUAD[::-1].copy(), BENT])


@SHAPES
def test_the_offset_distance_is_the_papers(polygon: np.ndarray) -> None:
    reference = shapely.Polygon(polygon)
    assert offset_distance(polygon, 0.4) == pytest.approx(reference.area * (1 - 0.16) / reference.length, rel=1e-5)


@SHAPES
@pytest.mark.parametrize("distance", [-3.0, 4.0])
def test_an_offset_polygon_is_shapelys_buffer(polygon: np.ndarray, distance: float) -> None:
    (moved,) = offset_polygon(polygon, distance)
    reference = shapely.Polygon(polygon).buffer(distance, quad_segs=32)
    assert shapely.Polygon(moved).symmetric_difference(reference).area < 0.01 * reference.area


def test_a_text_that_would_fall_apart_is_shrunk_by_less() -> None:
    ragged = RAGGED.astype(np.float32)
    assert len(offset_polygon(ragged, -offset_distance(ragged, 0.4))) == 2
    (whole,) = shrink_polygon(ragged, 0.4)
    assert shapely.Polygon(ragged).contains(shapely.Polygon(whole))


@SHAPES
def test_the_shrink_map_holds_the_pixels_of_the_shrunk_polygon(polygon: np.ndarray) -> None:
    targets = draw_targets([polygon], np.array([False]), 100, 150)
    shrunk = shapely.Polygon(polygon).buffer(-offset_distance(polygon, 0.4))
    x, y = np.meshgrid(np.arange(150) + 0.5, np.arange(100) + 0.5)
    inside = shapely.contains_xy(shrunk, x, y)
    edge = (
        shapely.distance(shapely.points(x, y), shrunk.boundary) < 1.0
    )  # the drawing takes the pixels it touches as well
    assert np.array_equal((targets.shrink_map == 1)[~edge], inside[~edge])
    assert 0.95 * shrunk.area < targets.shrink_map.sum() < shrunk.buffer(0.75).area
    assert targets.shrink_mask.min() == 1


@SHAPES
def test_the_threshold_map_is_the_brute_force_distance_to_the_border(polygon: np.ndarray) -> None:
    targets = draw_targets([polygon], np.array([False]), 100, 150)
    distance = offset_distance(polygon, 0.4)
    x, y = np.meshgrid(np.arange(150) + 0.5, np.arange(100) + 0.5)
    border = shapely.Polygon(polygon).boundary
    away = shapely.distance(shapely.points(x, y), border)
    expected = THRESHOLD_LOW + (THRESHOLD_HIGH - THRESHOLD_LOW) * np.clip(1 - away / distance, 0, 1)
    assert np.abs(targets.threshold_map - expected).max() < 0.4 * 0.11 / distance  # corners within 0.1 px of straight
    dilated = shapely.contains_xy(shapely.Polygon(polygon).buffer(distance, quad_segs=32), x, y)
    unsure = np.abs(away - distance) < 0.11
    assert np.array_equal((targets.threshold_mask == 1)[~unsure], dilated[~unsure])


def test_the_nearer_border_counts_where_two_texts_are_close() -> None:
    upper = np.array([[10, 10], [90, 10], [90, 24], [10, 24]], np.float32)
    lower = upper + np.float32([0, 16])
    both = draw_targets([upper, lower], np.array([False, False]), 60, 100)
    apart = [draw_targets([p], np.array([False]), 60, 100).threshold_map for p in (upper, lower)]
    assert np.array_equal(both.threshold_map, np.maximum(*apart))


def test_an_ignored_text_teaches_nothing_and_its_neighbour_still_does() -> None:
    upper = np.array([[10, 10], [90, 10], [90, 24], [10, 24]], np.float32)
    lower = upper + np.float32([0, 30])
    targets = draw_targets([upper, lower], np.array([True, False]), 80, 100)
    assert targets.shrink_mask[11:23, 11:89].max() == 0
    assert targets.shrink_map[:30].max() == 0 and targets.threshold_mask[:30].max() == 0
    assert targets.shrink_mask[30:].min() == 1 and targets.shrink_map[30:].max() == 1


@pytest.mark.parametrize(
    "points",
    [
        [[5, 5], [6, 5], [6, 6], [5, 6]],
        [[5, 5], [50, 5], [20, 5]],
        [[5, 5], [5, 5], [5, 5]],
        [[0, 0], [8, 0], [8, 0.2]],
    ],
)
def test_a_text_too_small_to_survive_is_left_out(points: list[list[float]]) -> None:
    targets = draw_targets([np.array(points, np.float32)], np.array([False]), 64, 64)
    assert targets.shrink_map.sum() == 0 and targets.threshold_mask.sum() == 0
    assert targets.shrink_mask.sum() < 64 * 64


def test_texts_may_reach_beyond_the_page_or_lie_outside_of_it() -> None:
    polygons = [
        QUAD - np.float32([60, 30]),
        QUAD + np.float32([1000, 0]),
        QUAD - np.float32([5000, 5000]),
        QUAD * np.float32(50),
    ]
    targets = draw_targets(polygons, np.zeros(4, bool), 64, 64)
    for values in vars(targets).values():
        assert values.shape == (64, 64) and values.dtype == np.float32 and np.isfinite(values).all()
        assert values.min() >= 0 and values.max() <= 1


def test_a_page_without_text_has_empty_maps_that_teach_background() -> None:
    targets = draw_targets([], np.zeros(0, bool), 32, 48)
    assert targets.shrink_map.sum() == 0 and targets.shrink_mask.min() == 1 and targets.threshold_mask.sum() == 0


@pytest.mark.parametrize("ratio", [0.0, 1.0, -1.0, float("nan")])
def test_a_shrink_ratio_that_is_none_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="shrink_ratio"):
        draw_targets([QUAD], np.array([False]), 64, 64, ratio)


def test_random_texts_keep_every_map_in_its_range() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        polygons = [rng.uniform(-20, 84, size=(rng.integers(3, 12), 2)).astype(np.float32) for _ in range(5)]
        targets = draw_targets(polygons, rng.random(5) < 0.3, 64, 64, float(rng.uniform(0.05, 0.95)))
        assert set(np.unique(targets.shrink_map)) <= {0, 1} and set(np.unique(targets.threshold_mask)) <= {0, 1}
        assert targets.threshold_map.min() >= THRESHOLD_LOW and targets.threshold_map.max() <= THRESHOLD_HIGH + 1e-6


def test_pixel_centres_are_drawn_not_pixel_corners() -> None:
    square = np.array([[10, 10], [30, 10], [30, 30], [10, 30]], np.float32)
    targets = draw_targets([square], np.array([False]), 40, 40)
    moments = cv2.moments(targets.shrink_map)
    assert moments["m10"] / moments["m00"] == pytest.approx(
        19.5, abs=0.01
    )  # the square's middle is 20, a centre at 19.5
