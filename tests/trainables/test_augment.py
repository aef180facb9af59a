"""Checks changes of images against a drawn polygon, numpy's flips and torchvision's colours."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import shapely
import torch
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from trainables.augment import Augment, crop_matrix, rotation_matrix, warp_image, warp_polygon

ALL = Augment(1, 15, 1, 1, 1, 1, 1, 1)
QUAD = np.array([[60, 80], [180, 70], [184, 110], [62, 118]], np.float32)


def drawn(polygon: np.ndarray, height: int = 200, width: int = 240) -> np.ndarray:
    """Draws a polygon white on black, so that the picture itself says where it is."""
    image = np.zeros((height, width, 3), np.uint8)
    cv2.fillPoly(image, [np.rint((polygon - 0.5) * 64).astype(np.int32)], (255, 255, 255), shift=6)
    return image


def noisy(height: int = 64, width: int = 80) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["rotate_prob", "hflip_prob", "vflip_prob", "crop_prob"])
def test_image_and_polygon_move_together(name: str) -> None:
    for seed in range(10):
        image, (moved,) = Augment(**{name: 1.0})(drawn(QUAD), [QUAD], np.random.default_rng(seed))
        x, y = np.meshgrid(np.arange(240) + 0.5, np.arange(200) + 0.5)
        inside = shapely.contains_xy(shapely.Polygon(moved), x, y)
        seen = image[:, :, 0] > 127
        edge = (
            shapely.distance(shapely.points(x, y), shapely.Polygon(moved).boundary) < 2.5
        )  # cv2 draws half a pixel more
        assert np.array_equal(seen[~edge], inside[~edge]), seed
        assert not np.allclose(moved, QUAD)


@pytest.mark.parametrize(("name", "axis"), [("hflip_prob", 1), ("vflip_prob", 0)])
def test_a_flip_is_numpys_to_the_byte(name: str, axis: int) -> None:
    image = noisy()
    flipped, (moved,) = Augment(**{name: 1.0})(image, [QUAD], np.random.default_rng(0))
    assert np.array_equal(flipped, np.flip(image, axis))
    size = 80 if axis == 1 else 64
    assert np.allclose(moved[:, 1 - axis], size - QUAD[:, 1 - axis])


def test_a_rotation_is_torchvisions() -> None:
    points = tv_tensors.KeyPoints(torch.from_numpy(QUAD), canvas_size=(200, 240))
    expected = F.rotate(points, -10.0, expand=False).numpy()  # positive angles are anti-clockwise there
    assert np.allclose(warp_polygon(QUAD, rotation_matrix(200, 240, 10.0)), expected, atol=0.01)


def test_a_crop_shows_its_share_of_the_area_and_stays_inside() -> None:
    for across, down in ((0, 0), (1, 1), (0.3, 0.8)):
        back = np.linalg.inv(crop_matrix(200, 240, 0.5, across, down))
        corners = warp_polygon(np.float32([[0, 0], [240, 0], [240, 200], [0, 200]]), back)
        assert shapely.Polygon(corners).area == pytest.approx(0.5 * 240 * 200, rel=1e-4)
        assert corners.min() >= -1e-3 and corners[:, 0].max() <= 240.001 and corners[:, 1].max() <= 200.001


def test_the_unmoved_image_is_the_same_to_the_byte() -> None:
    image = noisy()
    assert np.array_equal(warp_image(image, np.eye(3)), image)
    assert np.array_equal(warp_image(image, rotation_matrix(64, 80, 0.0)), image)


def test_without_probabilities_nothing_changes() -> None:
    image = noisy()
    same, (polygon,) = Augment()(image, [QUAD], np.random.default_rng(0))
    assert np.array_equal(same, image) and np.array_equal(polygon, QUAD)


def test_what_comes_in_is_not_modified() -> None:
    image, polygon = noisy(), QUAD.copy()
    before = image.copy()
    ALL(image, [polygon], np.random.default_rng(0))
    assert np.array_equal(image, before) and np.array_equal(polygon, QUAD)


def test_the_same_numbers_make_the_same_image_whatever_torch_has_drawn() -> None:
    first, _ = ALL(noisy(), [QUAD], np.random.default_rng(7))
    torch.manual_seed(1)
    torch.rand(10)
    second, _ = ALL(noisy(), [QUAD], np.random.default_rng(7))
    third, _ = ALL(noisy(), [QUAD], np.random.default_rng(8))
    assert np.array_equal(first, second) and not np.array_equal(first, third)


@pytest.mark.parametrize("value", [0, 1, 127, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (33, 2), (64, 64)])
def test_extreme_images_stay_images(value: int, shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), value, np.uint8)
    for seed in range(5):
        changed, polygons = Augment(1, 180, 1, 1, 1, 1, 1, 1)(image, [QUAD], np.random.default_rng(seed))
        assert changed.shape == image.shape and changed.dtype == np.uint8
        assert np.isfinite(polygons[0]).all()


def test_noise_keeps_white_white_and_black_black_at_their_ends() -> None:
    white = np.full((64, 64, 3), 255, np.uint8)
    changed, _ = Augment(noise_prob=1.0)(white, [], np.random.default_rng(0))
    assert changed.max() == 255 and changed.mean() > 240  # no wrap-around to black


def test_a_page_without_text_is_changed_too() -> None:
    changed, polygons = ALL(noisy(), [], np.random.default_rng(0))
    assert polygons == () and changed.shape == (64, 80, 3)


def test_blur_takes_contrast_away_and_jitter_keeps_the_shape() -> None:
    image = noisy(300, 300)
    blurred, _ = Augment(blur_prob=1.0)(image, [], np.random.default_rng(1))
    assert blurred.std() < image.std()
    jittered, _ = Augment(color_jitter_prob=1.0)(image, [], np.random.default_rng(1))
    assert jittered.flags.c_contiguous and not np.array_equal(jittered, image)


def test_a_probability_is_how_often_it_happens() -> None:
    augment = Augment(hflip_prob=0.3)
    image = noisy(4, 4)
    flips = sum(not np.array_equal(augment(image, [], np.random.default_rng(i))[0], image) for i in range(500))
    assert flips == pytest.approx(150, abs=35)


def test_a_config_gives_its_probabilities_and_lacks_none() -> None:
    config = SimpleNamespace(rotate_prob=0.2, rotate_degrees=5.0, noise_prob=1, lr=1e-3)
    assert Augment.from_config(config) == Augment(rotate_prob=0.2, rotate_degrees=5.0, noise_prob=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("rotate_prob", 1.1), ("blur_prob", -0.1), ("hflip_prob", float("nan")), ("rotate_degrees", 181)],
)
def test_a_probability_beyond_its_bounds_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Augment(**{name: value})
