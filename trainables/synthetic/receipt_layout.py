"""Lays out a receipt: texts in rows, and the printed things that are not text (rules, barcodes, logos)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from trainables.synthetic.fonts import Face, load_font
from trainables.synthetic.receipt_words import Item, Words, draw_words

Ink = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom are the first pixels outside


@dataclass(frozen=True)
class Print:
    """Holds a printed receipt, flat: ink (height x width, 0 to 255), and each text with the box that its ink fills."""

    ink: Ink
    texts: tuple[str, ...]
    boxes: tuple[Box, ...]


@dataclass
class Printer:
    """Prints rows from top to bottom until the paper ends; `em` is the type size in pixels."""

    ink: Ink
    em: int
    face: Face
    rng: np.random.Generator
    y: int = 0
    texts: list[str] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Returns the width of the paper in pixels."""
        return self.ink.shape[1]

    @property
    def margin(self) -> int:
        """Returns the margin in pixels."""
        return round(0.7 * self.em)

    def room(self, rows: float) -> bool:
        """Returns whether `rows` more rows of plain text fit above the lower margin."""
        return self.y + rows * self.em * 1.4 <= self.ink.shape[0] - self.margin

    def row(self, *parts: tuple[str, float], em: float = 1.0, bold: bool = False, stretch: float = 1.0) -> None:
        """Prints one row of parts (text, align): 0 starts at the left margin, 1 ends at the right, 0.5 is centred.

        A part that would touch its neighbour on the left, or leave the paper, is not printed.
        """
        size = max(7, round(self.em * em))
        end = self.margin - self.em
        for text, align in parts:
            mask, above = text_mask(text, self.face, size, bold, stretch)
            height, width = mask.shape
            left = round(self.margin + align * (self.width - 2 * self.margin - width))
            top = self.y + above
            bottom_edge = self.ink.shape[0] - 2
            if left < end + self.em * 0.6 or left + width > self.width - 2 or top + height > bottom_edge or top < 0:
                continue
            area = self.ink[top : top + height, left : left + width]
            np.maximum(area, mask, out=area)
            self.texts.append(text)
            self.boxes.append((left, top, left + width, top + height))
            end = left + width
        self.y += round(size * 1.4)

    def skip(self, rows: float) -> None:
        """Leaves `rows` rows empty."""
        self.y += round(rows * self.em)


@lru_cache(maxsize=8192)
def text_mask(text: str, face: Face, size: int, bold: bool = False, stretch: float = 1.0) -> tuple[Ink, int]:
    """Returns the ink of a text, cropped to it, and how far below the top of its row it starts, in pixels."""
    font = load_font(face, size)
    canvas = Image.new("L", (round(font.getlength(text)) + size, size * 2))
    ImageDraw.Draw(canvas).text((size // 2, 0), text, fill=255, font=font)
    ink = np.asarray(canvas)
    if bold:
        ink = np.maximum(ink, np.roll(ink, 1, axis=1))
    rows, columns = np.flatnonzero((ink > 32).any(axis=1)), np.flatnonzero((ink > 32).any(axis=0))
    if len(rows) == 0:
        raise ValueError(f"a text with ink is needed, but {text!r} has none")
    mask = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if stretch != 1:
        mask = cv2.resize(mask, (max(1, round(mask.shape[1] * stretch)), mask.shape[0]), interpolation=cv2.INTER_LINEAR)
    return mask, int(rows[0]) - size // 4


def print_receipt(rng: np.random.Generator, height: int, width: int, em: int, clutter: float) -> Print:
    """Prints a receipt of an invented shop; `clutter` (0 to 1) is how much is printed that is not text."""
    words = draw_words(rng)
    face: Face = "sans" if rng.random() < 0.75 else "serif"
    printer = Printer(np.zeros((height, width), np.uint8), em, face, rng, y=round(em * rng.uniform(0.5, 1.2)))
    _head(printer, words, clutter)
    _totals(printer, words, _items(printer, words))
    _foot(printer, words, clutter)
    return Print(printer.ink, tuple(printer.texts), tuple(printer.boxes))


def _head(printer: Printer, words: Words, clutter: float) -> None:
    """Prints a logo, the name of the shop, and the date."""
    rng = printer.rng
    if rng.random() < 0.5 * clutter + 0.15:
        _logo(printer)
    align = 0.5 if rng.random() < 0.75 else 0.0
    stretch = rng.choice((1.0, 1.0, 1.3))
    printer.row((words.shop, align), em=rng.uniform(1.2, 1.9), bold=rng.random() < 0.6, stretch=stretch)
    for line in words.about:
        printer.row((line, align), em=rng.choice([0.85, 1.0]))
    printer.skip(rng.uniform(0, 0.5))
    date, time, register = words.when
    if rng.random() < 0.5:
        printer.row((date, 0.0), (time, 1.0))
    else:
        printer.row((f"{date} {time}", 0.0))
        printer.row((register, 0.0), (words.number, 1.0))


def _items(printer: Printer, words: Words) -> list[Item]:
    """Prints the items that there is room for, and returns them."""
    rng = printer.rng
    columns = COLUMNS[rng.integers(len(COLUMNS))]
    _rule(printer)
    if rng.random() < 0.7:
        printer.row(*((words.vocabulary.header[name], align) for name, align in columns))
        if rng.random() < 0.6:
            _rule(printer)
    printed: list[Item] = []
    for item in words.items:
        if printed and not printer.room(4 + words.shown_sums):
            break
        printed.append(item)
        if rng.random() < 0.12:  # A long name has a row of its own.
            printer.row((item.name, 0.0))
            printer.row((item.code, 0.0), (str(item.count), 0.7), (words.money(item.amount), 1.0))
        else:
            texts = {"name": item.name, "price": words.money(item.price)}
            texts |= {"count": str(item.count), "amount": words.money(item.amount)}
            printer.row(*((texts[name], align) for name, align in columns))
    _rule(printer)
    return printed


# What stands where in the row of an item, as (name, align).
COLUMNS: tuple[tuple[tuple[str, float], ...], ...] = (
    (("name", 0.0), ("amount", 1.0)),
    (("name", 0.0), ("count", 0.68), ("amount", 1.0)),
    (("name", 0.0), ("price", 0.55), ("count", 0.72), ("amount", 1.0)),
)


def _totals(printer: Printer, words: Words, items: list[Item]) -> None:
    """Prints the sums of these items."""
    rng = printer.rng
    for label, amount in words.sums(items):
        printer.row((label, 0.0), (amount, 1.0))
    label, amount = words.total(items)
    printer.row((label, 0.0), (amount, 1.0), em=rng.uniform(1.1, 1.6), bold=rng.random() < 0.7)
    if rng.random() < 0.6:
        _rule(printer)


def _foot(printer: Printer, words: Words, clutter: float) -> None:
    """Prints the payment, thanks, and a barcode or a QR code."""
    rng = printer.rng
    for label, value in words.payment:
        if printer.room(1):
            printer.row((label, 0.0), (value, 1.0 if rng.random() < 0.6 else 0.5))
    for line in words.thanks:
        if printer.room(1):
            printer.row((line, 0.5), em=0.9)
    codes: tuple[Callable[[Printer], None], ...] = (_barcode, _qr_code)
    if rng.random() < 0.3 + 0.6 * clutter:
        codes[rng.integers(len(codes))](printer)
        if printer.room(1) and rng.random() < 0.6:
            printer.row((words.number, 0.5), em=0.9)


def _rule(printer: Printer) -> None:
    """Prints a separator, which is not text: dashes, dots, a line, two lines or stars."""
    rng, em = printer.rng, printer.em
    left, right = printer.margin, printer.width - printer.margin
    thick = max(1, round(em * rng.uniform(0.06, 0.12)))
    y = printer.y + round(em * 0.35)
    printer.y += round(em * 0.8)
    if y + em // 2 >= printer.ink.shape[0]:
        return
    style = rng.integers(5)
    if style == 4:
        for x in range(left + em // 4, right - em // 4, max(4, round(em * 0.7))):
            cv2.drawMarker(printer.ink, (x, y), 255, cv2.MARKER_STAR, max(3, em // 3), 1)
        return
    period, on = ((em * 0.6, em * 0.35), (em * 0.35, thick), (1e9, 1e9), (1e9, 1e9))[style]
    for start in np.arange(left, right, period):
        end = round(min(right, start + on))
        printer.ink[y : y + thick, round(start) : end] = 255
        if style == 3:
            printer.ink[y + 2 * thick : y + 3 * thick, round(start) : end] = 255


def _logo(printer: Printer) -> None:
    """Prints a polygon with a hole, perhaps in an ellipse."""
    rng, em = printer.rng, printer.em
    radius = round(em * rng.uniform(0.9, 1.5))
    centre = (printer.width // 2 + round(rng.uniform(-0.1, 0.1) * printer.width), printer.y + radius)
    angles = np.linspace(0, 2 * np.pi, int(rng.integers(3, 11)), endpoint=False) + rng.uniform(0, 2)
    reach = radius * rng.uniform(0.55, 1, size=len(angles))
    points = np.stack((centre[0] + reach * np.cos(angles), centre[1] + reach * np.sin(angles)), axis=1)
    if rng.random() < 0.5:
        cv2.ellipse(printer.ink, centre, (round(radius * rng.uniform(1, 2)), radius), 0, 0, 360, 255, max(1, em // 8))
    cv2.fillPoly(printer.ink, [np.rint(points).astype(np.int32)], 255, lineType=cv2.LINE_AA)
    cv2.circle(printer.ink, centre, max(2, radius // 3), 0, -1, cv2.LINE_AA)
    printer.y += 2 * radius + em // 2


def _barcode(printer: Printer) -> None:
    """Prints bars of random widths."""
    rng, em = printer.rng, printer.em
    height = round(em * rng.uniform(1.4, 2.6))
    top, bottom = printer.y + em // 3, printer.y + em // 3 + height
    if bottom >= printer.ink.shape[0] - 2:
        return
    unit = max(1, round(em * 0.11))
    widths = rng.integers(1, 4, size=200) * unit
    edges = np.cumsum(widths) + round(printer.width * rng.uniform(0.1, 0.25))
    for left, right in zip(edges[0::2], edges[1::2], strict=True):
        if right > printer.width * 0.85:
            break
        printer.ink[top:bottom, left:right] = 255
    printer.y = bottom + em // 3


def _qr_code(printer: Printer) -> None:
    """Prints random modules with the three eyes of a QR code."""
    rng, em = printer.rng, printer.em
    module, modules = max(1, round(em * 0.15)), 21
    side = module * modules
    top, left = printer.y + em // 3, (printer.width - side) // 2
    if top + side >= printer.ink.shape[0] - 2 or left < 0:
        return
    code = rng.integers(0, 2, size=(modules, modules)).astype(np.uint8) * 255
    eye = np.zeros((8, 8), np.uint8)
    eye[:7, :7], eye[1:6, 1:6], eye[2:5, 2:5] = 255, 0, 255
    code[:8, :8], code[:8, -8:], code[-8:, :8] = eye, eye[:, ::-1], eye[::-1]
    printer.ink[top : top + side, left : left + side] = np.kron(code, np.ones((module, module), np.uint8))
    printer.y = top + side + em // 3
