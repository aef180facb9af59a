"""Checks that every change of a text crop keeps its shape and uint8, never wraps around, and leaves text readable."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainables.recognition.augment import NOISE_SIGMA, Augment
from trainables.recognition.config import Config

PROBABILITIES = (
    "tia_prob",
    "crop_prob",
    "rotate_prob",
    "blur_prob",
    "hsv_prob",
    "jitter_prob",
    "noise_prob",
    "reverse_prob",
)
COLOURS = ("blur_prob", "hsv_prob", "jitter_prob", "noise_prob")
ALL = dict.fromkeys(PROBABILITIES, 1.0)
EACH = {name: Augment(**{name: 1.0}) for name in PROBABILITIES}
EACH |= {f"randaugment_{m}": Augment(randaugment_num_ops=4, randaugment_magnitude=m) for m in (0, 9, 30)}
EACH |= {"all": Augment(**ALL, rotate_degrees=180.0, randaugment_num_ops=8, randaugment_magnitude=30)}
SHAPES = ((1, 1), (1, 7), (7, 1), (1, 300), (2, 2), (5, 40), (32, 1), (32, 100), (64, 33), (32, 2000))


def crop(seed: int = 0, height: int = 32, width: int = 100, text: str = "12A3456") -> np.ndarray:
    """Draws dark text on a light, slightly coloured ground."""
    tint = np.random.default_rng(seed).integers(190, 240, size=3)
    image = np.empty((height, width, 3), np.uint8)
    image[:] = tint
    cv2.putText(image, text, (6, height - 9), cv2.FONT_HERSHEY_SIMPLEX, height / 46, (20, 25, 30), 2, cv2.LINE_AA)
    return image


def found_again(before: np.ndarray, after: np.ndarray) -> float:
    """Returns how well pieces of the text are found near their places, by template matching: from 0 to 1."""
    height = len(before)
    side, reach = round(0.7 * height), height // 2
    pad = cv2.copyMakeBorder(after, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    old, new = (cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 0.7) for image in (before, pad))
    top = (height - side) // 2
    matches = []
    for x in range(4, before.shape[1] - side, max(side // 2, before.shape[1] // 12)):
        piece, near = old[top : top + side, x : x + side], new[:, x : x + side + 2 * reach]
        if piece.std() > 10:  # Something is written there.
            sizes = [cv2.resize(piece, None, fx=fx, fy=fy) for fx, fy in product((0.7, 0.85, 1, 1.2), repeat=2)]
            matches.append(max(np.abs(cv2.matchTemplate(near, size, cv2.TM_CCOEFF_NORMED)).max() for size in sizes))
    return float(np.mean(matches))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", EACH)
def test_an_extreme_crop_stays_a_crop(name: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    images = [np.full((*shape, 3), value, np.uint8) for value in (0, 1, 127, 254, 255)]
    images += [rng.integers(0, 256, size=(*shape, 3), dtype=np.uint8)]
    for seed in range(3):
        for before, after in zip(images, EACH[name](images, np.random.default_rng(seed)), strict=True):
            assert after.shape == before.shape and after.dtype == np.uint8 and after.flags.c_contiguous


@pytest.mark.parametrize("name", EACH)
@given(
    image=st.tuples(st.integers(1, 40), st.integers(1, 120)).flatmap(lambda s: arrays(np.uint8, (*s, 3))),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=12, deadline=None)
def test_any_crop_stays_a_crop(name: str, image: np.ndarray, seed: int) -> None:
    before = image.copy()
    (after,) = EACH[name]([image], np.random.default_rng(seed))
    assert after.shape == before.shape and after.dtype == np.uint8
    assert np.array_equal(image, before)


@pytest.mark.parametrize("name", EACH)
def test_floats_from_0_to_1_are_refused_and_not_taken_for_almost_black(name: str) -> None:
    with pytest.raises(TypeError, match="uint8 from 0 to 255"):
        EACH[name]([crop().astype(np.float32) / 255], np.random.default_rng(0))


@pytest.mark.parametrize("name", COLOURS)
@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white_never_wrap_around_to_each_other(name: str, value: int) -> None:
    """A ground that is all black may get lighter by what a change may add at most, and no more."""
    most = {"blur_prob": 0, "hsv_prob": 0.3 * 255, "jitter_prob": 40 + 0.3 * 127.5, "noise_prob": 6 * NOISE_SIGMA[1]}
    image = np.full((32, 100, 3), value, np.uint8)
    for seed in range(100):
        (after,) = EACH[name]([image], np.random.default_rng(seed))
        assert np.abs(after.astype(int) - value).max() <= most[name] + 1


def test_noise_is_gaussian_and_ends_at_black_and_white() -> None:
    """Against the addition in floats: what is left after clipping is the ground plus noise of the stated strength."""
    for value in (0, 3, 128, 252, 255):
        image = np.full((32, 100, 3), value, np.uint8)
        for seed in range(20):
            (after,) = EACH["noise_prob"]([image], np.random.default_rng(seed))
            off = after.astype(float) - value
            if value == 128:
                assert NOISE_SIGMA[0] * 0.9 < off.std() < NOISE_SIGMA[1] * 1.1 and abs(off.mean()) < 1
                assert np.mean(np.abs(off) < off.std()) == pytest.approx(0.683, abs=0.08)  # of a normal distribution
            else:
                toward_the_end = off < 0 if value < 128 else off > 0
                assert 0.3 < np.mean(toward_the_end | (off == 0)) < 0.8
                assert np.abs(off).max() < 128


def test_noise_differs_from_crop_to_crop() -> None:
    gray = np.full((32, 100, 3), 128, np.uint8)
    first, second = (after.astype(float) - 128 for after in EACH["noise_prob"]([gray, gray], np.random.default_rng(0)))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05


def test_a_crop_larger_than_the_stored_noise_gets_noise_everywhere() -> None:
    (after,) = EACH["noise_prob"]([np.full((200, 4000, 3), 128, np.uint8)], np.random.default_rng(0))
    assert after[-20:, -20:].std() > 2


def test_reversed_colours_come_back_when_reversed_again() -> None:
    image = crop()
    (once,) = EACH["reverse_prob"]([image], np.random.default_rng(0))
    assert np.array_equal(once, np.bitwise_not(image))


def test_a_shift_of_hue_goes_round_the_circle_and_leaves_gray_alone() -> None:
    gray = np.full((8, 8, 3), 90, np.uint8)
    red = np.zeros((8, 8, 3), np.uint8)
    red[:, :, 0] = 200
    for seed in range(50):
        after_gray, after_red = EACH["hsv_prob"]([gray, red], np.random.default_rng(seed))
        assert np.ptp(after_gray) == 0
        assert after_red[0, 0].argmax() == 0 and after_red[0, 0, 0] > 100  # 15 degrees off red is still mainly red


@pytest.mark.parametrize("name", [*PROBABILITIES, "randaugment"])
@pytest.mark.parametrize("size", [(32, 100), (48, 320), (32, 1000)])
def test_the_text_survives(name: str, size: tuple[int, int]) -> None:
    image = crop(0, *size, text="12A3456 " * (size[1] // 100))
    augment = Augment(randaugment_num_ops=2) if name == "randaugment" else EACH[name]
    found = [found_again(image, *augment([image], np.random.default_rng(seed))) for seed in range(12)]
    assert np.median(found) > 0.8, np.round(np.sort(found), 2)
    assert min(found) > (0.3 if name == "randaugment" else 0.65), np.round(np.sort(found), 2)


def test_what_is_destroyed_is_not_found_again() -> None:
    image = crop()
    noise = np.random.default_rng(0).integers(0, 256, size=image.shape, dtype=np.uint8)
    assert found_again(image, image) > 0.99
    assert found_again(image, noise) < 0.6 and found_again(image, np.full_like(image, 128)) < 0.6
    assert found_again(image, (image.astype(np.int16) * 256).astype(np.uint8)) < 0.6  # 0..1 taken for 0..255


@pytest.mark.parametrize("name", COLOURS)
def test_colours_and_noise_leave_the_contrast_of_the_text(name: str) -> None:
    image = crop()
    ink, ground = image.mean(axis=2) < 60, image.mean(axis=2) > 180
    for seed in range(40):
        (after,) = EACH[name]([image], np.random.default_rng(seed))
        assert after[ground].mean() - after[ink].mean() > 60


def test_the_same_numbers_make_the_same_crops_and_others_other_ones() -> None:
    augment = Augment(**dict.fromkeys(PROBABILITIES, 0.5), randaugment_num_ops=2)
    images = [crop(seed) for seed in range(10)]
    first, again, other = (augment(images, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_crops_of_several_widths_keep_their_places() -> None:
    images = [crop(0, width=width) for width in (40, 300, 100)]
    after = Augment(tia_prob=1.0)(images, np.random.default_rng(0))
    assert [image.shape for image in after] == [image.shape for image in images]
    assert Augment(tia_prob=1.0)([], np.random.default_rng(0)) == []


@pytest.mark.parametrize("name", [*PROBABILITIES, "aug_prob"])
def test_a_probability_is_how_often_it_happens(name: str) -> None:
    augment = Augment(**({"aug_prob": 0.3, "reverse_prob": 1.0} if name == "aug_prob" else {name: 0.3}))
    images = [crop()] * 500
    changed = sum(not np.array_equal(after, images[0]) for after in augment(images, np.random.default_rng(0)))
    assert changed == pytest.approx(150, abs=45)


def test_a_config_that_changes_nothing_gives_nothing() -> None:
    assert Augment.from_config(Config()) is None
    assert Augment.from_config(Config(tia_prob=0.5, aug_prob=0.0)) is None
    assert Augment.from_config(Config(tia_prob=0.5, aug_prob=0.7)) == Augment(aug_prob=0.7, tia_prob=0.5)
    assert Augment.from_config(SimpleNamespace(randaugment_num_ops=1)) == Augment(randaugment_num_ops=1)


def test_every_setting_is_one_of_the_config() -> None:
    assert set(Augment.__dataclass_fields__) <= set(Config.__dataclass_fields__)


@pytest.mark.parametrize(
    ("name", "value"),
    [("tia_prob", 1.1), ("aug_prob", -0.1), ("noise_prob", float("nan")), ("randaugment_magnitude", 31)],
)
def test_a_setting_beyond_its_bounds_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Augment(**{name: value})
