"""Checks the sheets that show where a reading went wrong, and the table of confused characters."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainables.recognition.digits import write_digits
from trainables import LocalRun, recognition
from trainables.recognition.config import Config
from trainables.recognition.crop import Crop
from trainables.recognition.pictures import SHEET, View, draw_sheet, visible
from trainables.recognition.training import Reading

CONFIG = Config(height=16, width=40, neck_hidden_size=16, batch_size=8, epochs=1)


@dataclass(frozen=True)
class Grey:
    """Gives a plain picture."""

    height: int = 20
    width: int = 60

    def read(self) -> np.ndarray:
        return np.full((self.height, self.width, 3), 128, np.uint8)

    def identity(self) -> str:
        return "grey"


def view_of(text: str, reading: str, confidence: float = 0.5, picture: Grey = Grey()) -> View:
    return View(Crop("a.png", text, text, picture), Reading(reading, confidence))


def pixels_of(sheet: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB")).astype(int)


def reds(sheet: bytes) -> int:
    image = pixels_of(sheet)
    return int(((image[..., 0] - image[..., 1] > 100) & (image[..., 0] - image[..., 2] > 100)).sum())


def greens(sheet: bytes) -> int:
    image = pixels_of(sheet)
    return int(((image[..., 1] - image[..., 0] > 60) & (image[..., 1] - image[..., 2] > 40)).sum())


@pytest.mark.parametrize(
    ("text", "reading", "columns"),
    [
        ("12가3", "12나3", [("1", "1"), ("2", "2"), ("가", "나"), ("3", "3")]),
        ("123", "13", [("1", "1"), ("2", ""), ("3", "3")]),
        ("13", "123", [("1", "1"), ("", "2"), ("3", "3")]),
        ("ab", "", [("a", ""), ("b", "")]),
    ],
)
def test_the_label_stands_above_the_reading(text: str, reading: str, columns: list[tuple[str, str]]) -> None:
    assert view_of(text, reading).columns == columns


def test_what_is_wrong_is_red_and_what_is_right_is_green() -> None:
    right, wrong = draw_sheet([view_of("12가3456", "12가3456")]), draw_sheet([view_of("12가", "34나")])
    assert reds(right) == 0 and greens(right) > 100
    assert reds(wrong) > 50 and greens(wrong) == 0


@pytest.mark.parametrize(
    "view",
    [
        view_of("1" * 200, "", picture=Grey(30, 2000)),
        view_of("", "abc"),
        view_of("a", "a", picture=Grey(1, 1)),
        view_of("a b", "苏\U0010ffff", picture=Grey(500, 3)),
    ],
)
def test_extremes_fit_on_a_sheet(view: View) -> None:
    image = pixels_of(draw_sheet([view] * 30))
    assert image.shape[1] <= SHEET[0] and image.shape[0] <= SHEET[1]
    assert image.min() < 100  # Something is drawn.


def test_a_space_can_be_seen_and_what_the_font_lacks_has_a_number() -> None:
    assert [visible(c) for c in ("가", "A", " ", "苏", "")] == ["가", "A", "␣", "82CF", ""]


def test_the_worst_come_first_and_confusions_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path / "cache"))
    run = LocalRun(tmp_path / "run", {"root": str(write_digits(digits_folder(tmp_path), train=16, others=8))})
    list(recognition.train(CONFIG, run))
    run.checkpoint_dir = run.saved[-1]
    recognition.examples(CONFIG, run, tmp_path / "examples")
    assert sorted(p.name for p in (tmp_path / "examples").iterdir()) == [
        "1-worst-crops.png",
        "2-typical-crops.png",
        "confused.csv",
    ]
    assert all(0 < p.stat().st_size < 150_000 for p in (tmp_path / "examples").iterdir())
    with (tmp_path / "examples" / "confused.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows and set(rows[0]) == {"given", "read", "count"}
    counts = [int(row["count"]) for row in rows]
    assert counts == sorted(counts, reverse=True)


def digits_folder(tmp_path: Path) -> Path:
    (tmp_path / "digits").mkdir()
    return tmp_path / "digits"


def test_sure_and_wrong_is_worse_than_unsure_and_wrong_and_right_is_best_when_sure() -> None:
    sure_wrong, unsure_wrong = view_of("12", "13", 0.9), view_of("12", "13", 0.2)
    unsure_right, sure_right = view_of("12", "12", 0.2), view_of("12", "12", 0.9)
    views = [sure_right, unsure_wrong, unsure_right, sure_wrong]
    ordered = sorted(views, key=lambda view: (view.similarity, view.doubt))
    assert ordered == [sure_wrong, unsure_wrong, unsure_right, sure_right]
