"""Reads pictures that have no labels."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import torch

from trainables.data.crop_cache import resize_crop
from trainables.data.image_file import BadImage, Pixels, read_image
from trainables.data.spreadsheet import as_text
from trainables.recognition.config import Config
from trainables.recognition.dataset import Batch, collate, crop_size
from trainables.recognition.training import load_recogniser, read_batch
from trainables.trainable import Run


def read_files(config: Config, run: Run, files: Sequence[Path], output: TextIO) -> list[str]:
    """Writes `path,text,confidence` (CSV, a line for each file that can be read); returns why the others cannot.

    A text is written as it was read, but behind an apostrophe where a spreadsheet would compute it, and where `output`
    begins with a byte order mark (utf-8-sig), because it is for Excel, also where that would change a number or a date.
    """
    model, charset = load_recogniser(config, run)
    table = csv.writer(output, lineterminator="\n")
    table.writerow(("path", "text", "confidence"))
    named, excel = name_for(output), output.encoding == "utf-8-sig"
    problems = []
    for start in range(0, len(files), config.batch_size):
        readable, items = [], []
        for file in files[start : start + config.batch_size]:
            try:
                image = resize_crop(read_image(file), crop_size(config))
            except BadImage as error:
                problems.append(str(error))
            else:
                readable.append(file)
                items.append(batch_of_one(image))
        if items:
            readings = read_batch(model, collate(items), charset, config)
            for file, reading in zip(readable, readings, strict=True):
                path, text = as_text(printable(named(file))), as_text(reading.text, excel=excel)
                table.writerow((path, text, f"{reading.confidence:.4f}"))
    return problems


def batch_of_one(image: Pixels) -> Batch:
    """Returns a resized crop (H x W x 3) as the dataset would, without a label."""
    return {
        "image": torch.from_numpy(image).permute(2, 0, 1)[None],
        "valid_width": torch.tensor([image.shape[1]]),
        "target": torch.zeros(1, 0, dtype=torch.int64),
        "target_length": torch.tensor([0]),
    }


def name_for(output: TextIO) -> Callable[[Path], Path]:
    """Returns how a table in `output` names pictures, so that it can be learned from in whatever folder.

    In a file from the folder of that file, where they lie below it, else by their whole paths. A stream without a name,
    such as a terminal, gets them as they were typed.
    """
    name = getattr(output, "name", None)
    if name is None:
        return lambda file: file
    folder = Path(os.path.realpath(name)).parent if isinstance(name, str) and os.path.isfile(name) else None

    def from_folder(file: Path) -> Path:
        real = Path(os.path.realpath(file.parent)) / file.name
        below = folder is not None and real.is_relative_to(folder)
        return real.relative_to(folder) if folder is not None and below else Path(os.path.abspath(file))

    return from_folder


def printable(file: Path) -> str:
    """Returns the path, escaping what is not UTF-8 in it: a file system takes any bytes, a text file does not."""
    return os.fsencode(file).decode(errors="backslashreplace")
