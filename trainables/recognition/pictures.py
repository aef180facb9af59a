"""Draws what a recogniser reads wrong, to be understood at a glance, and tabulates the characters it confuses."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from rapidfuzz.distance import Levenshtein

from trainables.recognition.config import Config
from trainables.recognition.dataset import Crop, CropDataset, load_crops
from trainables.recognition.metrics import confusions, score_reading
from trainables.recognition.training import Reading, load_recogniser, read_crops
from trainables.synthetic.fonts import load_font
from trainables.trainable import Run

SHEET = (1000, 900)  # px at most, across and down
CROP_HEIGHT = 52  # px
NARROWEST = 190  # px of a cell
GAP = 10  # px around what is drawn
FONT_SIZE, SMALL_SIZE = 19, 13  # px
LINE = 25  # px from one line of text to the next
INDENT = 46  # px left of the text, where the confidence stands
MOST_CROPS = 20  # on a sheet
MOST_CONFUSIONS = 100
COLOURS = 96
INK, FAINT, RIGHT, WRONG = (30, 30, 30), (120, 120, 120), (30, 130, 50), (210, 30, 40)
SPACE = "␣"
NO_CHARACTER = "\U000f0000"  # of the private use area; a font draws for it what it draws for all that it lacks
LEFT_OUT = "–"  # drawn where a character was not read, or where there is none

Column = tuple[str, str]  # the character given and the one read, "" for none


@dataclass(frozen=True)
class View:
    """Holds a crop with what was read on it."""

    crop: Crop
    reading: Reading

    @cached_property
    def similarity(self) -> float:
        """Returns 1 where the reading is right, less the more edits it takes."""
        return score_reading(self.crop.text, self.reading.text).ned

    @property
    def doubt(self) -> float:
        """Ranks equal readings, the worst first: wrong ones that are sure, then right ones that are not."""
        confidence = self.reading.confidence
        return confidence if self.similarity == 1 else 1 - confidence

    @property
    def columns(self) -> list[Column]:
        """Returns what is written above what was read, aligned by the fewest edits."""
        text, reading = self.crop.text, self.reading.text
        columns: list[Column] = []
        for edit in Levenshtein.opcodes(text, reading):
            given, read = text[edit.src_start : edit.src_end], reading[edit.dest_start : edit.dest_end]
            length = max(len(given), len(read))
            columns += zip(given or [""] * length, read or [""] * length, strict=True)
        return columns


def draw_examples(config: Config, run: Run, directory: Path) -> None:
    """Writes into `directory`, of the val split, a sheet of the worst crops, one of a sample, and confused.csv.

    On a sheet the label stands above the reading, which is green where it is right and red where it is wrong, beside
    its confidence. The least similar readings are the worst; among equals, wrong ones that are sure, right ones that
    are not.
    confused.csv (given,read,count) holds the most frequent edits; "" stands where a character was left out or made up.
    """
    model, charset = load_recogniser(config, run)
    dataset = CropDataset(load_crops(run.data, "val"), charset, config)
    readings = read_crops(model, dataset, charset, config, run)
    views = [View(crop, reading) for crop, reading in zip(dataset.crops, readings, strict=True)]
    worst = sorted(views, key=lambda view: (view.similarity, view.doubt))
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "1-worst-crops.png").write_bytes(draw_sheet(worst[:MOST_CROPS]))
    (directory / "2-typical-crops.png").write_bytes(
        draw_sheet(random.Random(0).sample(views, min(MOST_CROPS, len(views))))
    )
    with (directory / "confused.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("given", "read", "count"))
        found = confusions([view.crop.text for view in views], [view.reading.text for view in views])
        table.writerows(
            (c.given.replace(" ", SPACE), c.read.replace(" ", SPACE), c.count) for c in found[:MOST_CONFUSIONS]
        )


def draw_sheet(views: Sequence[View]) -> bytes:
    """Returns as many of the crops as fit on SHEET as PNG, in rows, their labels and readings below them."""
    cells = [Cell(view, fit(view.crop)) for view in views]
    width = min(max(NARROWEST, *(cell.width for cell in cells)), SHEET[0])
    across = SHEET[0] // width
    sheet = Image.new("RGB", (across * width, SHEET[1]), "white")
    top = 0
    for start in range(0, len(cells), across):
        row = cells[start : start + across]
        height = max(cell.height(width) for cell in row)
        if top + height > SHEET[1]:
            break
        for place, cell in enumerate(row):
            cell.draw(sheet, place * width, top, width)
        top += height
    return encode(sheet.crop((0, 0, sheet.width, top)))


def encode(sheet: Image.Image) -> bytes:
    """Returns the sheet as PNG in COLOURS of its own and shades of the inks, which takes a third of the bytes.

    The inks have too few pixels for their colours to be chosen otherwise.
    """
    own = sheet.quantize(COLOURS).getpalette() or []
    inks = np.array([INK, FAINT, RIGHT, WRONG])
    shades = [255 + (inks - 255) * share for share in (0.2, 0.4, 0.6, 0.8, 1.0)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(bytes(own[: 3 * COLOURS]) + np.concatenate(shades).round().astype(np.uint8).tobytes())
    file = io.BytesIO()
    sheet.quantize(palette=palette, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


@dataclass(frozen=True)
class Cell:
    """Draws a view on a sheet: the crop, and below it its confidence, its label and its reading."""

    view: View
    picture: Image.Image

    @property
    def width(self) -> int:
        """Returns the px that show everything without a break in the text."""
        return 2 * GAP + max(self.picture.width, INDENT + sum(map(column_width, self.view.columns)))

    def height(self, width: int) -> int:
        """Returns the px that the cell needs at this width."""
        return 2 * GAP + self.picture.height + 2 * LINE * len(self.lines(width))

    def lines(self, width: int) -> list[list[Column]]:
        """Returns the columns of the text, broken where a line is full; one line at least."""
        lines: list[list[Column]] = [[]]
        room = left = width - INDENT - 2 * GAP
        for column in self.view.columns:
            if column_width(column) > left and lines[-1]:
                lines.append([])
                left = room
            lines[-1].append(column)
            left -= column_width(column)
        return lines

    def draw(self, sheet: Image.Image, x: int, y: int, width: int) -> None:
        """Draws onto `sheet`, in a cell of that width whose upper left corner is (x, y)."""
        sheet.paste(self.picture, (x + GAP, y + GAP))
        pen = ImageDraw.Draw(sheet)
        font = load_font("sans", FONT_SIZE)
        top = y + GAP + self.picture.height
        confidence = f"{100 * self.view.reading.confidence:.0f} %"
        pen.text((x + GAP, top + LINE + 4), confidence, FAINT, load_font("sans", SMALL_SIZE))
        for line in self.lines(width):
            left = x + GAP + INDENT
            for given, read in line:
                pen.text((left, top), visible(given) or LEFT_OUT, INK if given else FAINT, font)
                pen.text((left, top + LINE), visible(read) or LEFT_OUT, RIGHT if given == read else WRONG, font)
                left += column_width((given, read))
            top += 2 * LINE


def fit(crop: Crop) -> Image.Image:
    """Scales the crop to CROP_HEIGHT px, or to the width of a sheet."""
    picture = Image.fromarray(crop.read())
    scale = min(CROP_HEIGHT / picture.height, (SHEET[0] - 2 * GAP) / picture.width)
    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    return picture.resize(size, Image.Resampling.BICUBIC)


def column_width(column: Column) -> int:
    """Returns the px of the wider of both characters."""
    font = load_font("sans", FONT_SIZE)
    return 1 + round(max(font.getlength(visible(character) or LEFT_OUT) for character in column))


def visible(character: str) -> str:
    """Shows a space as a mark, and what the font cannot draw as its code point."""
    if character == " ":
        return SPACE
    return character if drawable(character) else f"{ord(character):04X}"


@lru_cache(maxsize=4096)
def drawable(character: str) -> bool:
    """Returns whether the font has the character."""
    font = load_font("sans", FONT_SIZE)
    return not character or bytes(font.getmask(character)) != bytes(font.getmask(NO_CHARACTER))
