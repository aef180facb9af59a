"""Lays out Korean licence plates of one row, and draws what they say: 520 x 110 mm, flat and clean.

The letter says what a car is for (private, rental, taxi or bus, delivery), the digits before it the kind of the car.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from trainables.synthetic.fonts import load_font

Float = npt.NDArray[np.float32]
Ink = npt.NDArray[np.uint8]
Color = tuple[float, float, float]  # red, green, blue from 0 to 1

PLATE_SIZE = (520, 110)  # width, height in mm
PRIVATE = "가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주"
RENTAL = "하허호"
TAXI = "바사아자"
DELIVERY = "배"
LETTERS = PRIVATE + RENTAL + TAXI + DELIVERY
_REGIONS = "서울부산대구인천광주대전울산세종경기강원충북충남전북전남경북경남제주"
REGIONS = tuple(_REGIONS[start : start + 2] for start in range(0, len(_REGIONS), 2))

_EM = 96  # px to the em when a glyph is drawn, before it is shrunk to its size on the plate
_CAP = 80  # mm, the height of digits
_BOLT = (0.62, 0.62, 0.6)


@dataclass(frozen=True)
class Format:
    """Describes one kind of plate. Lengths are in mm.

    digit, letter: their widths. gap: what parts the four last digits from the others.
    """

    share: float  # of the plates drawn
    letters: str
    class_digits: int
    regional: bool
    ground: Color
    ink: Color
    digit: float
    letter: float
    gap: float
    band: bool = False  # a blue one at the left end, with the sign of the country
    frame: bool = True


WHITE, BLACK = (0.93, 0.93, 0.92), (0.09, 0.09, 0.12)
FORMATS = (
    Format(0.2, PRIVATE + RENTAL, 3, False, WHITE, BLACK, 44, 56, 10, band=True, frame=False),
    Format(0.16, PRIVATE + RENTAL, 3, False, WHITE, BLACK, 45, 58, 14),
    Format(0.34, PRIVATE + RENTAL, 2, False, WHITE, BLACK, 51, 62, 18),
    Format(0.1, PRIVATE + RENTAL, 3, False, (0.36, 0.68, 0.86), BLACK, 44, 56, 10, band=True, frame=False),
    Format(0.12, TAXI + DELIVERY, 2, True, (0.95, 0.74, 0.1), BLACK, 47, 58, 14),
    Format(0.08, PRIVATE, 2, True, (0.04, 0.36, 0.24), (0.92, 0.95, 0.9), 47, 58, 14),
)


def draw_number(rng: np.random.Generator, form: Format) -> str:
    """Draws what a plate of this format says, without blanks: 123가4567, 12가3456 or 서울12가3456."""
    region = REGIONS[rng.integers(len(REGIONS))] if form.regional else ""
    low, high = (100, 998) if form.class_digits == 3 else (1, 100)
    letter = form.letters[rng.integers(len(form.letters))]
    return f"{region}{rng.integers(low, high):0{form.class_digits}}{letter}{rng.integers(100, 10000):04}"


def print_plate(form: Format, text: str, px_per_mm: float, weight: int, colors: tuple[Color, Color]) -> Float:
    """Prints the flat plate: height x width x 3, from 0 to 1.

    weight: how bold the signs are. colors: of the ground and of the ink.
    """
    width, height = (round(side * px_per_mm) for side in PLATE_SIZE)
    ground, ink = (np.array(color, np.float32) for color in colors)
    cover = np.zeros((height, width), np.uint8)
    for sign, left, top, wide, high in place_signs(form, text):
        glyph = draw_glyph(sign, max(2, round(wide * px_per_mm)), max(2, round(high * px_per_mm)), weight)
        x = round((left + wide / 2) * px_per_mm - glyph.shape[1] / 2)
        y = round(top * px_per_mm)
        cover[y : y + glyph.shape[0], x : x + glyph.shape[1]] = glyph
    if form.frame:
        inset, line = round(4 * px_per_mm), max(1, round(2.5 * px_per_mm))
        cv2.rectangle(cover, (inset, inset), (width - 1 - inset, height - 1 - inset), 200, line, cv2.LINE_AA)
    raised = np.float32(1 / 255) * cover
    plate: Float = ground + raised[:, :, None] * (ink - ground)
    raised[1:, 1:] -= np.float32(1 / 255) * cover[:-1, :-1]  # Embossed signs are lit from above.
    plate += np.float32(0.12) * raised[:, :, None]
    if form.band:
        _draw_band(plate, px_per_mm)
    for x in (130, 390):
        centre = (round(x * px_per_mm), round(11 * px_per_mm))
        cv2.circle(plate, centre, max(1, round(5 * px_per_mm)), _BOLT, -1, cv2.LINE_AA)
    return plate


def place_signs(form: Format, text: str) -> list[tuple[str, float, float, float, float]]:
    """Returns (sign, left, top, width, height) of each sign, in mm, in the order of reading.

    The two signs of a region stand one below the other.
    """
    space = 0.13 * form.digit
    top = (PLATE_SIZE[1] - _CAP) / 2 + 3  # Above are the bolts.
    region, rest = (text[:2], text[2:]) if form.regional else ("", text)
    widths = [form.letter if sign in LETTERS else form.digit for sign in rest]
    taken = sum(widths) + space * (len(rest) - 1) + form.gap + (form.letter * 0.75 + 2 * space if region else 0)
    band = 34.0 if form.band else 0.0
    x = band + (PLATE_SIZE[0] - band - taken) / 2
    placed = []
    for row, sign in enumerate(region):
        placed.append((sign, x, top + row * (_CAP / 2 + 1), form.letter * 0.75, _CAP / 2 - 2))
    if region:
        x += form.letter * 0.75 + 2 * space
    for sign, width in zip(rest, widths, strict=True):
        lower = 3.0 if sign in LETTERS else 0.0
        placed.append((sign, x, top + lower, width, _CAP - 2 * lower))
        x += width + space + (form.gap if sign in LETTERS else 0.0)
    return placed


@lru_cache(maxsize=4096)
def draw_glyph(sign: str, width: int, height: int, weight: int) -> Ink:
    """Returns the ink of a digit or a Hangul syllable, from 0 to 255, `height` rows high.

    Hangul fills `width`; narrow digits do not.
    """
    # Hangul has more strokes than digits, which must not run together.
    mask = _ink(sign, weight if sign.isdigit() else weight // 2)
    if sign.isdigit():
        width = max(2, round(width * mask.shape[1] / _ink("0", weight).shape[1]))
    glyph: Ink = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    glyph.setflags(write=False)
    return glyph


@lru_cache(maxsize=1024)
def _ink(sign: str, weight: int) -> Ink:
    """Returns the ink of a sign at _EM pixels, cropped to it."""
    canvas = Image.new("L", (2 * _EM, 2 * _EM))
    ImageDraw.Draw(canvas).text((_EM // 2, _EM // 4), sign, fill=255, font=load_font("sans", _EM), stroke_width=weight)
    ink = np.asarray(canvas)
    rows, columns = np.flatnonzero((ink > 32).any(axis=1)), np.flatnonzero((ink > 32).any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _draw_band(plate: Float, px_per_mm: float) -> None:
    """Draws the blue band of reflecting plates: red over blue in a circle, below it letters too small to read."""
    height, width = len(plate), round(30 * px_per_mm)
    inset = round(5 * px_per_mm)
    plate[inset : height - inset, inset : inset + width] = (0.12, 0.2, 0.5)
    centre, radius = (inset + width // 2, round(0.38 * height)), max(1, round(10 * px_per_mm))
    cv2.ellipse(plate, centre, (radius, radius), 0, 180, 360, (0.75, 0.15, 0.2), -1, cv2.LINE_AA)
    cv2.ellipse(plate, centre, (radius, radius), 0, 0, 180, (0.85, 0.87, 0.9), -1, cv2.LINE_AA)
    y = round(0.72 * height)
    for part in range(3):
        x = inset + round((6 + 7 * part) * px_per_mm)
        plate[y : y + max(1, round(9 * px_per_mm)), x : x + max(1, round(4 * px_per_mm))] = (0.8, 0.82, 0.88)
