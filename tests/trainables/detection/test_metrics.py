"""Checks metrics.py on pages made by hand, and its matching by brute force."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.detection.metrics import Score, intersections, match, polygons_of, score_page, sum_scores


def box(x: float, y: float, width: float = 10, height: float = 10) -> np.ndarray:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def cared(count: int) -> np.ndarray:
    return np.zeros(count, bool)


def test_a_page_that_is_found_wholly_scores_one() -> None:
    page = [box(0, 0), box(20, 0), box(0, 20)]
    score = score_page(page, cared(3), page[::-1])
    assert (score.hmean, score.precision, score.recall) == (1.0, 1.0, 1.0)


def test_one_of_two_texts_found_and_one_of_three_detections_right() -> None:
    score = score_page([box(0, 0), box(50, 0)], cared(2), [box(1, 0), box(100, 100), box(0, 80)])
    assert score == Score(matched=1, texts=2, detections=3)
    assert score.recall == 0.5 and score.precision == pytest.approx(1 / 3) and score.hmean == pytest.approx(0.4)


@pytest.mark.parametrize(("width", "found"), [(20, 0), (19.9, 1), (5, 0), (5.1, 1)])
def test_iou_must_be_above_one_half(width: float, found: int) -> None:
    assert score_page([box(0, 0)], cared(1), [box(0, 0, width)]).matched == found


def test_two_detections_of_one_text_count_once() -> None:
    assert score_page([box(0, 0)], cared(1), [box(0, 0), box(0, 1)]) == Score(1, 1, 2)


def test_one_detection_over_two_texts_counts_at_most_once() -> None:
    assert score_page([box(0, 0), box(10, 0)], cared(2), [box(0, 0, 20)]).matched == 0
    assert score_page([box(0, 0), box(1, 0)], cared(2), [box(0, 0)]).matched == 1


def test_a_detection_on_ignored_text_is_neither_right_nor_wrong() -> None:
    ignore = np.array([False, True])
    assert score_page([box(0, 0), box(50, 0)], ignore, [box(0, 0), box(50, 0)]) == Score(1, 1, 1)
    assert score_page([box(0, 0), box(50, 0)], ignore, [box(0, 0)]) == Score(1, 1, 1)


@pytest.mark.parametrize(("x", "left_out"), [(54.9, True), (55.1, False)])
def test_more_than_half_of_a_detection_must_lie_on_ignored_text_to_be_left_out(x: float, left_out: bool) -> None:
    score = score_page([box(50, 0)], np.array([True]), [box(x, 0)])
    assert score == Score(0, 0, 0 if left_out else 1)


def test_a_small_detection_inside_a_large_ignored_region_is_left_out() -> None:
    assert score_page([box(0, 0, 100, 100)], np.array([True]), [box(5, 5), box(40, 40)]) == Score(0, 0, 0)


def test_empty_pages_score_nothing_and_do_not_fail() -> None:
    assert score_page([], cared(0), []) == Score(0, 0, 0)
    assert score_page([], cared(0), [box(0, 0)]) == Score(0, 0, 1)
    assert score_page([box(0, 0)], cared(1), []) == Score(0, 1, 0)
    assert Score().metrics("val") == {"val/hmean": 0.0, "val/precision": 0.0, "val/recall": 0.0}


def test_pages_are_counted_together_not_averaged() -> None:
    total = sum_scores([Score(1, 1, 1), Score(0, 3, 1)])
    assert (total.recall, total.precision) == (0.25, 0.5)
    assert total.hmean == pytest.approx(2 * 0.25 * 0.5 / 0.75)


def test_a_text_whose_outline_crosses_itself_counts_with_all_it_encloses() -> None:
    eight = np.array([[0, 0], [10, 10], [10, 0], [0, 10]], np.float32)
    [area] = polygons_of([eight])
    assert area.is_valid and area.area == pytest.approx(50)  # buffer(0) would keep 25 of it


def test_polygons_without_area_match_nothing() -> None:
    line = np.array([[0, 0], [10, 0], [5, 0]], np.float32)
    point = np.array([[3, 3]], np.float32)
    assert score_page([line, point, box(0, 0)], cared(3), [line, point, box(0, 0)]) == Score(1, 3, 3)


def test_intersections_of_shifted_squares() -> None:
    shared = intersections(polygons_of([box(0, 0), box(100, 0)]), polygons_of([box(4, 0), box(0, 5), box(50, 50)]))
    np.testing.assert_allclose(shared, [[60, 50, 0], [0, 0, 0]])


def most_pairs(texts: list[np.ndarray], found: list[np.ndarray]) -> int:
    """Tries every assignment."""
    areas, others = [shapely.Polygon(t) for t in texts], [shapely.Polygon(f) for f in found]
    good = np.array([[a.intersection(b).area / a.union(b).area > 0.5 for b in others] for a in areas])
    for count in range(min(len(texts), len(found)), 0, -1):
        for rows in combinations(range(len(texts)), count):
            if any(
                all(good[r, c] for r, c in zip(rows, cs, strict=True)) for cs in permutations(range(len(found)), count)
            ):
                return count
    return 0


boxes = st.lists(
    st.builds(box, st.integers(0, 6), st.integers(0, 3), st.integers(4, 9), st.integers(4, 9)), min_size=1, max_size=4
)


@settings(max_examples=150, deadline=None)
@given(boxes, boxes)
def test_as_many_texts_as_possible_are_matched(texts: list[np.ndarray], found: list[np.ndarray]) -> None:
    matching = match(texts, cared(len(texts)), found)
    assert len(matching.pairs) == most_pairs(texts, found)
    assert len({t for t, _ in matching.pairs}) == len({d for _, d in matching.pairs}) == len(matching.pairs)
