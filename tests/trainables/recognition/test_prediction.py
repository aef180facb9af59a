"""Checks that new pictures of any kind become lines of CSV, and that those that cannot be read are named."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.trainables.recognition.digits import write_digits
from trainables import LocalRun, recognition
from trainables.recognition.config import Config
from trainables.recognition.dataset import CropDataset, load_crops
from trainables.recognition.prediction import name_for
from trainables.recognition.training import load_recogniser, read_crops

SETTINGS: dict[str, Any] = {"height": 16, "neck_hidden_size": 16, "batch_size": 8, "lr": 1e-2, "epochs": 4}


@pytest.fixture(scope="module", params=[40, 0])
def learnt(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Returns a config, and a run with a checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTSWEEP_CACHE", str(tmp_path_factory.mktemp("cache")))
        config = Config(width=request.param, **SETTINGS)
        root = write_digits(tmp_path_factory.mktemp("digits"), train=32, others=12)
        run = LocalRun(tmp_path_factory.mktemp("run"), {"root": str(root)})
        list(recognition.train(config, run))
        run.checkpoint_dir = run.saved[-1]
        yield config, run


def predict(learnt: tuple[Config, LocalRun], files: list[Path]) -> tuple[list[dict[str, str]], list[str]]:
    output = io.StringIO()
    problems = recognition.predict(*learnt, files, output)
    return list(csv.DictReader(io.StringIO(output.getvalue()))), problems


def test_files_are_read_as_the_same_crops_of_a_split_are(learnt: tuple[Config, LocalRun]) -> None:
    config, run = learnt
    model, charset = load_recogniser(config, run)
    crops = load_crops(run.data, "val")
    expected = read_crops(model, CropDataset(crops, charset, config), charset, config, run)
    rows, problems = predict(learnt, [Path(run.data["root"]) / crop.name for crop in crops])
    assert problems == []
    assert [row["text"] for row in rows] == [reading.text for reading in expected]
    assert [float(row["confidence"]) for row in rows] == pytest.approx(
        [reading.confidence for reading in expected],
        abs=1e-4 if config.width else 1e-2,  # How far a crop is padded depends on its batch.
    )


def test_files_that_cannot_be_read_are_named_and_the_others_written(
    learnt: tuple[Config, LocalRun], tmp_path: Path
) -> None:
    good, broken, absent = Path(learnt[1].data["root"]) / "003.png", tmp_path / "broken.png", tmp_path / "absent.png"
    broken.write_bytes(good.read_bytes()[:60])
    rows, problems = predict(learnt, [broken, *[good] * 8, absent])
    assert [row["path"] for row in rows] == [str(good)] * 8
    assert len(problems) == 2
    assert problems[0].startswith(f"{broken}: ") and problems[1].startswith(f"{absent}: ")


@pytest.mark.parametrize(
    ("mode", "size"), [("RGBA", (50, 20)), ("I;16", (50, 20)), ("L", (1, 1)), ("1", (3, 40)), ("P", (4000, 10))]
)
def test_pictures_of_any_kind_are_read(
    learnt: tuple[Config, LocalRun], tmp_path: Path, mode: str, size: tuple[int, int]
) -> None:
    Image.new(mode, size).save(tmp_path / "odd.png")
    rows, problems = predict(learnt, [tmp_path / "odd.png"])
    assert problems == [] and len(rows) == 1
    assert 0 <= float(rows[0]["confidence"]) <= 1


def test_names_with_commas_line_breaks_and_bytes_that_are_no_text_stay_in_their_field(
    learnt: tuple[Config, LocalRun], tmp_path: Path
) -> None:
    odd = [tmp_path / 'a,"b.png', tmp_path / "c\nd.png", Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))]
    for file in odd:
        file.write_bytes((Path(learnt[1].data["root"]) / "003.png").read_bytes())
    rows, problems = predict(learnt, odd)
    assert problems == []
    assert [row["path"] for row in rows] == [str(odd[0]), str(odd[1]), f"{tmp_path}/\\xff.png"]
    assert len({row["text"] for row in rows}) == 1


def test_a_name_that_a_spreadsheet_would_compute_is_text(
    learnt: tuple[Config, LocalRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("=HYPERLINK(A1).png").write_bytes((Path(learnt[1].data["root"]) / "003.png").read_bytes())
    rows, _ = predict(learnt, [Path("=HYPERLINK(A1).png")])
    assert rows[0]["path"] == "'=HYPERLINK(A1).png"


@pytest.mark.parametrize("table", ["crops/labels.csv", "readings.csv", "elsewhere/readings.csv"])
@pytest.mark.parametrize("started_in", ["crops", "elsewhere", "."])
def test_a_table_of_readings_can_be_learned_from_wherever_it_was_made(
    learnt: tuple[Config, LocalRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, started_in: str
) -> None:
    for folder in ("crops/번호판", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    for number in range(2):
        good = (Path(learnt[1].data["root"]) / f"00{number}.png").read_bytes()
        (tmp_path / "crops" / "번호판" / f"{number}.png").write_bytes(good)
    monkeypatch.chdir(tmp_path / started_in)
    typed = [Path(os.path.relpath(tmp_path / "crops" / "번호판" / f"{number}.png")) for number in range(2)]
    with (tmp_path / table).open("w", encoding="utf-8-sig", newline="") as output:
        assert recognition.predict(*learnt, typed, output) == []
    corrected = (tmp_path / table).read_text(encoding="utf-8-sig").replace(",'", ",").splitlines()
    rows = [corrected[0], *(f"{line.split(',')[0]},'0012,1" for line in corrected[1:])]
    (tmp_path / table).write_text("\r\n".join(rows), encoding="utf-8-sig")
    data = {"root": str(tmp_path / "crops"), "labels": {"train": str(tmp_path / table)}}
    labels = load_crops(data, "train")
    assert [(crop.name, crop.text) for crop in labels] == [("번호판/0.png", "0012"), ("번호판/1.png", "0012")]


def test_a_terminal_shows_paths_as_they_were_typed_and_a_pipe_whole(tmp_path: Path) -> None:
    assert name_for(io.StringIO())(Path("a.png")) == Path("a.png")
    with os.fdopen(os.open(os.devnull, os.O_WRONLY), "w") as pipe:
        assert name_for(pipe)(Path("a.png")) == Path.cwd() / "a.png"


def test_no_files_are_a_header(learnt: tuple[Config, LocalRun]) -> None:
    output = io.StringIO()
    assert recognition.predict(*learnt, [], output) == []
    assert output.getvalue() == "path,text,confidence\n"


def test_without_a_checkpoint_nothing_is_read(learnt: tuple[Config, LocalRun], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a checkpoint is needed"):
        recognition.predict(learnt[0], LocalRun(tmp_path, learnt[1].data), [], io.StringIO())
