"""The winner of a study on new pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from unicodedata import normalize

import pytest
import yaml

from orchestrator.checkpoints.folder import Folder
from orchestrator.checkpoints.manifest import CorruptCheckpoint
from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.ledger import Ledger
from orchestrator.study_file.study_spec import load_study
from orchestrator.trial import Report, State
from orchestrator.worker.prediction import pictures_in, predict
from tune.summary import best_config


@pytest.fixture
def place(home: Path, toy_study: Callable[..., Path]) -> tuple[Home, Ledger]:
    """A study of one trial whose second of three epochs is its best, and saved."""
    place = Home.at(home)
    ledger = Ledger(place.ledger)
    spec = load_study(toy_study())
    row = ledger.create_study(spec.study, spec.raw, spec.objective.objective, {})
    number = ledger.add_trial(row.id, {"lr": 0.1}).number
    for epoch, score in enumerate([0.3, 0.5, 0.4], start=1):
        state = json.dumps({"epoch": epoch, "score": score})
        storage = Folder(place.study(spec.study))
        storage.write(number, epoch, lambda path, state=state: (path / "state.json").write_text(state))
        ledger.record(row.id, number, Report(epoch, {"val/score": score}, 1.0, 1000.0 + epoch, checkpoint=True))
    ledger.finish(row.id, number, State.COMPLETED)
    return place, ledger


def test_the_best_epoch_of_the_best_trial_reads_the_files(place: tuple[Home, Ledger]):
    home, ledger = place
    row = ledger.study("toy")
    output = StringIO()
    problems = predict(row, ledger.trials(row.id), home, [Path(__file__), home.ledger], output)
    assert output.getvalue() == "test_prediction.py,0.500\nledger.db,0.500\n"
    assert problems == []


def test_a_study_without_a_checkpoint_cannot_predict(place: tuple[Home, Ledger]):
    home, ledger = place
    row = ledger.study("toy")
    with pytest.raises(InputMistake, match="must have a trial with a checkpoint"):
        predict(row, [], home, [Path(__file__)], StringIO())


def test_a_corrupt_checkpoint_is_not_predicted_with(place: tuple[Home, Ledger]):
    home, ledger = place
    row = ledger.study("toy")
    file = Folder(home.study("toy")).read(1, 2) / "state.json"
    file.write_text(file.read_text().replace("0.5", "0.9"))
    with pytest.raises(CorruptCheckpoint, match=r"epoch-0002 is corrupt: state\.json is not as it was written"):
        predict(row, ledger.trials(row.id), home, [Path(__file__)], StringIO())
    config = best_config(row, ledger.trials(row.id)[0], home)
    assert "epoch-0002 cannot be used: state.json is not as it was written" in config
    assert yaml.safe_load(config)["source"]["checkpoint"] is None


def test_a_folder_stands_for_its_pictures_by_name(tmp_path: Path):
    pictures = ["a.jpg", "b.PNG", "c.gif", "d.jfif", "e.jp2", "f.ppm", "g.HEIC"]
    for name in (*pictures, "labels.csv", "._a.jpg", ".DS_Store", "Thumbs.db"):
        (tmp_path / name).touch()
    found = pictures_in([tmp_path, tmp_path / "labels.csv"])
    assert [path.name for path in found] == [*pictures, "labels.csv"]


def test_files_and_folders_are_found_under_both_unicode_forms(tmp_path: Path):
    stored = tmp_path / normalize("NFD", "번호판")
    stored.mkdir()
    (stored / "1.jpg").touch()
    assert pictures_in([tmp_path / "번호판", tmp_path / "번호판" / "1.jpg"]) == [stored / "1.jpg"] * 2


def test_every_file_that_is_not_there_is_named(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputMistake) as caught:
        pictures_in([tmp_path / "a.png", tmp_path / "empty", tmp_path / "b.png"])
    assert [line.split("but ")[1] for line in caught.value.lines] == [
        f"{tmp_path / 'a.png'} does not exist",
        "holds none",
        f"{tmp_path / 'b.png'} does not exist",
    ]
