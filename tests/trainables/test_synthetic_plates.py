"""Checks drawn licence plates: legal numbers, exact labels, the same bytes for a seed, whole plates."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from trainables.synthetic.fonts import load_font
from trainables.synthetic.plate_layout import FORMATS, LETTERS, PLATE_SIZE, draw_number, place_signs, print_plate
from trainables.synthetic.plates import _draw_pose, draw_plate

LEGAL = re.compile(
    r"(\d{2,3}[가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주하허호]\d{4}"
    r"|(서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주)"
    r"\d{2}[가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주바사아자배]\d{4})"
)


def fonts_sign(sign: str, height: int, width: int) -> np.ndarray:
    """Sets a sign by Pillow, filling height x width."""
    canvas = Image.new("L", (300, 300))
    ImageDraw.Draw(canvas).text((60, 40), sign, fill=255, font=load_font("sans", 160), stroke_width=4)
    ink = canvas.crop(canvas.getbbox())
    return np.asarray(ink.resize((width, height)), np.float32)


def read_sign(box: np.ndarray, signs: str) -> str:
    """Returns the sign whose picture is most like the box, dark on light or light on dark."""
    ink = np.abs(box.mean(axis=2) - np.median(box[:2]))
    ink = (ink / ink.max() * 255).astype(np.uint8)
    columns, rows = np.flatnonzero((ink > 100).any(axis=0)), np.flatnonzero((ink > 100).any(axis=1))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if signs.isdigit() and ink.shape[1] < 0.72 * box.shape[1]:
        return "1"  # the only narrow digit; filling a box it would look like nothing
    return max(signs, key=lambda s: np.corrcoef(fonts_sign(s, *ink.shape).ravel(), ink.ravel())[0, 1])


def test_numbers_are_of_the_legal_formats_and_use_every_letter() -> None:
    rng = np.random.default_rng(0)
    numbers = [draw_number(rng, form) for form in FORMATS for _ in range(600)]
    assert all(LEGAL.fullmatch(number) for number in numbers)
    assert {sign for number in numbers for sign in number if sign in LETTERS} >= set(LETTERS)
    assert {len(number) for number in numbers} == {7, 8, 9}


def test_pictures_carry_every_format_about_as_often_as_it_is_meant_to_be() -> None:
    texts = [draw_plate(np.random.default_rng(seed), hardness=0.0)[1] for seed in range(600)]
    assert all(LEGAL.fullmatch(text) for text in texts)
    regional = np.mean([not text[0].isdigit() for text in texts])
    three_digits = np.mean([bool(re.match(r"\d{3}", text)) for text in texts])
    assert regional == pytest.approx(0.2, abs=0.05) and three_digits == pytest.approx(0.46, abs=0.07)


@pytest.mark.parametrize("form", FORMATS)
def test_a_plate_says_what_its_text_says(form) -> None:
    """Each sign of the flat print, cut out and compared with the font's, gives the text again."""
    rng = np.random.default_rng(1)
    read = 0
    for _ in range(8):
        text = draw_number(rng, form)
        plate = print_plate(form, text, px_per_mm=1.0, weight=4, colors=(form.ground, form.ink))
        signs = place_signs(form, text)
        assert "".join(sign for sign, *_ in signs) == text
        for sign, left, top, width, height in signs:
            box = plate[round(top) - 2 : round(top + height) + 2, round(left) - 2 : round(left + width) + 2]
            if sign.isdigit():
                read += read_sign(box, "0123456789") == sign
            elif sign in LETTERS and width > 50:
                read += read_sign(box, LETTERS) == sign
            else:
                read += 1  # a region's small syllables
    assert read >= 0.97 * 8 * len(text)


@pytest.mark.parametrize("form", FORMATS)
def test_signs_stand_side_by_side_on_the_plate(form) -> None:
    text = draw_number(np.random.default_rng(0), form)
    boxes = [(x, y, x + w, y + h) for _, x, y, w, h in place_signs(form, text)]
    assert min(b[0] for b in boxes) >= (38 if form.band else 8) and max(b[2] for b in boxes) <= PLATE_SIZE[0] - 8
    assert min(b[1] for b in boxes) >= 8 and max(b[3] for b in boxes) <= PLATE_SIZE[1] - 8
    for index, one in enumerate(boxes):
        for other in boxes[:index]:
            apart = one[0] >= other[2] or one[1] >= other[3] or other[0] >= one[2]
            assert apart, (one, other)


@pytest.mark.parametrize("hardness", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("height", [16, 32, 48, 64])
def test_a_crop_has_the_height_asked_for_and_is_wider_than_high(height: int, hardness: float) -> None:
    for seed in range(20):
        image, text = draw_plate(np.random.default_rng(seed), hardness=hardness, height=height)
        assert image.dtype == np.uint8 and image.shape[0] == height and image.shape[2] == 3 and text
        assert 1.5 * height < image.shape[1] < 6 * height
        assert image.flags.c_contiguous


@pytest.mark.parametrize("hardness", [0.0, 0.5, 1.0])
def test_the_whole_plate_is_in_the_crop_and_upright(hardness: float) -> None:
    for seed in range(200):
        to_crop, width = _draw_pose(np.random.default_rng(seed), (40, 189), 32, hardness)
        corners = np.float32([[-0.5, -0.5], [188.5, -0.5], [188.5, 39.5], [-0.5, 39.5]])
        x, y = cv2.perspectiveTransform(corners[None], to_crop)[0].T
        assert min(x) >= -0.5 and max(x) <= width and min(y) >= -0.5 and max(y) <= 31.6
        assert x[1] - x[0] > 0.6 * width and y[3] - y[0] > 0.3 * 32  # top left, top right, bottom right, bottom left


def test_a_seed_draws_the_same_bytes_and_another_seed_others() -> None:
    first, text = draw_plate(np.random.default_rng(5))
    again, same = draw_plate(np.random.default_rng(5))
    other, _ = draw_plate(np.random.default_rng(6))
    assert np.array_equal(first, again) and text == same
    assert not np.array_equal(first, other)


def test_harder_plates_show_less_contrast_and_more_noise() -> None:
    def contrast(hardness: float) -> float:
        grays = [draw_plate(np.random.default_rng(s), hardness=hardness)[0].mean(axis=2) for s in range(60)]
        return float(np.median([np.subtract(*np.quantile(gray[8:-8, 12:-12], (0.9, 0.1))) for gray in grays]))

    assert contrast(0.0) > 1.2 * contrast(0.5) > 1.2 * contrast(1.0) > 12


def test_no_two_plates_are_equal() -> None:
    texts = [draw_plate(np.random.default_rng(seed))[1] for seed in range(400)]
    assert len(set(texts)) >= 399


@pytest.mark.parametrize(("name", "value"), [("hardness", 1.1), ("hardness", -0.1), ("height", 8)])
def test_a_setting_beyond_its_bounds_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        draw_plate(np.random.default_rng(0), **{name: value})
