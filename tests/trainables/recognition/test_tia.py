"""Checks that control points land where the paper puts them, that columns never fold, and that nothing leaves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from trainables.augment import rotation_matrix
from trainables.recognition.tia import (
    cut_rows,
    distort,
    draw_tia,
    perspective,
    resample,
    stretch,
    turn,
    unmoved,
)

HEIGHT, WIDTH = 32, 120


def noisy(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(height, width, 3), dtype=np.uint8)


def smooth() -> np.ndarray:
    coarse = np.random.default_rng(1).integers(0, 256, size=(4, 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def source(ends: np.ndarray, x: float, share: float) -> np.ndarray:
    """Returns the point of the crop, x and y, seen at x (pixels) and `share` of the height down."""
    upper, lower = ([np.interp(x, np.arange(WIDTH) + 0.5, axis) for axis in end] for end in ends)
    return np.array(upper) * (1 - share) + np.array(lower) * share


def test_the_unmoved_crop_is_the_same_to_the_byte() -> None:
    for shape in ((1, 1), (1, 9), (32, 1), (32, 100)):
        image = noisy(*shape)
        assert np.array_equal(resample(image, unmoved(*shape)), image)


def test_every_column_of_a_moved_crop_keeps_its_place_among_the_others() -> None:
    """Nothing folds: seen from left to right, the crop is read from left to right, and from top to bottom."""
    for seed in range(300):
        height, width = (32, 100) if seed % 2 else (32, 1000)
        ends = draw_tia(unmoved(height, width), height, width, np.random.default_rng(seed))
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            x, y = ends[0] * (1 - share) + ends[1] * share
            inside = (y >= 0) & (y <= height)
            assert np.diff(x)[inside[1:] & inside[:-1]].min(initial=0) >= -1e-9
        assert (ends[1, 1] - ends[0, 1]).min() > 0.4 * height


def test_tia_keeps_most_of_the_text_in_the_crop_however_long_the_line() -> None:
    for width in (40, 100, 400, 2000):
        for seed in range(50):
            ends = draw_tia(unmoved(32, width), 32, width, np.random.default_rng(seed))
            assert ends[0, 1].max() <= 8 and ends[1, 1].min() >= 24  # three quarters of the height are always seen
            assert ends[:, 0, 0].max() <= 12 and ends[:, 0, -1].min() >= width - 12


def test_corners_seen_in_perspective_are_where_they_were_put() -> None:
    ends = perspective(unmoved(HEIGHT, WIDTH), HEIGHT, WIDTH, np.array([4.0, 8.0, 2.0, 6.0]))
    for x, top, bottom in ((0.5, 4, 2), (WIDTH - 0.5, 8, 6)):
        assert source(ends, x, top / HEIGHT)[1] == pytest.approx(0, abs=0.1)
        assert source(ends, x, 1 - bottom / HEIGHT)[1] == pytest.approx(HEIGHT, abs=0.1)


def test_stretching_puts_each_point_where_it_was_moved() -> None:
    moves = np.array([0.3, -0.4, 0.1])
    ends = stretch(unmoved(HEIGHT, WIDTH), WIDTH, moves)
    for index, move in enumerate(moves, start=1):
        for share in (0.0, 0.5, 1.0):
            seen = source(ends, 30 * (index + move), share)
            assert seen == pytest.approx([30 * index, share * HEIGHT], abs=0.8)
    assert source(ends, 0.5, 0)[0] < 1 and source(ends, WIDTH - 0.5, 0)[0] > WIDTH - 1


def test_distorting_puts_each_point_of_both_edges_where_it_was_moved() -> None:
    moves = np.random.default_rng(0).uniform(-0.16, 0.16, size=(2, 2, 5))
    ends = distort(unmoved(HEIGHT, WIDTH), HEIGHT, WIDTH, moves)
    for edge, (dx, dy) in enumerate(moves * 30):
        for index in (1, 2, 3):
            x, y = 30 * index + dx[index], edge * HEIGHT + dy[index]
            column = [source(ends, x, share) for share in (0.0, 1.0)]
            share = y / HEIGHT  # the column is straight, so what is seen at y lies between its ends or beyond
            seen = column[0] * (1 - share) + column[1] * share
            assert seen == pytest.approx([30 * index, edge * HEIGHT], abs=2.0)


def test_a_turn_is_opencvs() -> None:
    image = smooth()
    expected = cv2.warpAffine(
        image,
        cv2.getRotationMatrix2D(((WIDTH - 1) / 2, (HEIGHT - 1) / 2), -6, 1),  # positive is anti-clockwise there
        (WIDTH, HEIGHT),
        borderMode=cv2.BORDER_REPLICATE,
    )
    turned = resample(image, turn(unmoved(HEIGHT, WIDTH), HEIGHT, WIDTH, 6.0))
    assert np.abs(turned.astype(int) - expected).max() <= 3
    assert rotation_matrix(HEIGHT, WIDTH, 6.0)[1, 0] > 0


def test_a_long_line_is_turned_no_further_than_its_ends_stay() -> None:
    for width in (32, 100, 2000):
        for degrees in (-180.0, -20.0, 20.0):
            ends = turn(unmoved(32, width), 32, width, degrees)
            middle = ends.mean(axis=0)  # the text's middle line
            assert middle[1].min() >= -1e-6 - (16 if width == 32 else 0) and middle[1].max() <= 32 + 1e-6
            assert np.abs(middle[1] - 16).max() <= 16.1


@pytest.mark.parametrize("rows", [4, -4])
def test_cutting_rows_enlarges_what_is_left(rows: int) -> None:
    image = smooth()
    left = image[rows:] if rows > 0 else image[:rows]
    expected = cv2.resize(left, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    cut = resample(image, cut_rows(unmoved(HEIGHT, WIDTH), HEIGHT, rows))
    assert np.abs(cut[2:-2].astype(int) - expected[2:-2]).max() <= 3


def test_what_comes_from_outside_is_the_border_repeated() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        assert resample(image, draw_tia(unmoved(HEIGHT, WIDTH), HEIGHT, WIDTH, rng)).min() == 255


def test_crops_of_a_batch_are_moved_as_each_alone() -> None:
    """To OpenCV's 32nd of a pixel, in as many pieces as it takes, and nothing is seen of the neighbours."""
    count, rng = 40, np.random.default_rng(0)
    images = rng.integers(0, 256, size=(count, HEIGHT, WIDTH, 3), dtype=np.uint8)
    images[::2] = 255
    ends = draw_tia(np.stack([unmoved(HEIGHT, WIDTH)] * count), HEIGHT, WIDTH, rng)
    ends = cut_rows(ends, HEIGHT, rng.uniform(-5, 5, count))
    ends = turn(ends, HEIGHT, WIDTH, rng.uniform(-8, 8, count))
    together = resample(images, ends)
    assert together[::2].min() == 255
    alone = np.array(list(map(resample, images, ends)))
    assert np.abs(together.astype(int) - alone).max() <= 2 * 255 / 32 and np.mean(together != alone) < 0.001


@pytest.mark.parametrize(
    ("change", "amounts"),
    [
        (lambda ends, depths: perspective(ends, HEIGHT, WIDTH, depths), (4,)),
        (lambda ends, moves: stretch(ends, WIDTH, moves / 10), (3,)),
        (lambda ends, moves: distort(ends, HEIGHT, WIDTH, moves / 30), (2, 2, 5)),
        (lambda ends, rows: cut_rows(ends, HEIGHT, rows), ()),
        (lambda ends, degrees: turn(ends, HEIGHT, WIDTH, degrees), ()),
    ],
    ids=["perspective", "stretch", "distort", "cut_rows", "turn"],
)
def test_a_change_of_a_batch_is_that_of_each_crop(change, amounts) -> None:
    rng = np.random.default_rng(0)
    ends = turn(np.stack([unmoved(HEIGHT, WIDTH)] * 6), HEIGHT, WIDTH, rng.uniform(-3, 3, 6))
    drawn = rng.uniform(-4, 4, (6, *amounts))
    assert change(ends, drawn) == pytest.approx(np.stack([change(*pair) for pair in zip(ends, drawn, strict=True)]))
