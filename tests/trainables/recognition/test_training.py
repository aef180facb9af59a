"""Checks that a small recogniser learns hand-drawn digits, goes on where it stopped, and is scored."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainables.recognition.digits import DIGITS, write_digits
from trainables import LocalRun, check_resumes, load_trainable, recognition
from trainables.checkpoint import load_weights
from trainables.local_run import MEASURED
from trainables.recognition.charset import Charset
from trainables.recognition.config import Config
from trainables.recognition.training import load_recogniser

SMALL: dict[str, Any] = {"height": 16, "width": 40, "neck_hidden_size": 16, "batch_size": 8, "lr": 1e-2, "epochs": 3}


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTSWEEP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_digits(tmp_path_factory.mktemp("digits"))


def learn(run: LocalRun, **settings: Any) -> list[dict[str, float]]:
    """Returns the reports of a run without what was measured."""
    reports = recognition.train(Config(**{**SMALL, **settings}), run)
    return [{name: value for name, value in report.items() if name not in MEASURED} for report in reports]


@pytest.fixture(scope="module")
def learnt(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalRun, list[dict[str, float]]]:
    """Trains once for all tests."""
    run = LocalRun(tmp_path_factory.mktemp("run"), {"root": str(digits)})
    return run, learn(run, epochs=14)


def test_it_learns_to_read_digits(learnt: tuple[LocalRun, list[dict[str, float]]]) -> None:
    assert set(learnt[1][0]) | set(MEASURED) == set(recognition.yields)
    reports = learnt[1]
    assert reports[-1]["val/acc"] > 0.9
    assert reports[-1]["val/ned"] > 0.95 and reports[-1]["val/cer"] < 0.05
    assert reports[-1]["train/loss"] < 0.1 * reports[0]["train/loss"]
    names = {"train/loss", "train/acc", "lr", "val/acc", "val/ned", "val/cer"}
    assert all(set(report) == names for report in reports)


def test_the_test_split_is_scored_from_the_checkpoint(learnt: tuple[LocalRun, Any], digits: Path) -> None:
    run = LocalRun(learnt[0].folder, {"root": str(digits)}, checkpoint_dir=learnt[0].saved[-1])
    scores = recognition.test(Config(**SMALL), run)
    assert set(scores) == {"test/acc", "test/ned", "test/cer"}
    assert scores["test/acc"] > 0.85


def test_without_a_test_split_there_is_nothing_to_score(
    learnt: tuple[LocalRun, Any], digits: Path, tmp_path: Path
) -> None:
    data = relabelled(digits, tmp_path, lambda row: None if row["split"] == "test" else row)
    assert recognition.test(Config(**SMALL), LocalRun(tmp_path, data, checkpoint_dir=learnt[0].saved[-1])) == {}


@pytest.mark.parametrize("settings", [{"width": 40, "ema_decay": 0.8}, {"width": 0, "neck_layers": 2, "dropout": 0.2}])
def test_a_resumed_run_equals_an_uninterrupted_one(settings: dict[str, Any], digits: Path, tmp_path: Path) -> None:
    settings = settings | {"tia_prob": 0.5, "noise_prob": 0.5, "randaugment_num_ops": 1}
    config = Config(**{**SMALL, **settings})
    check_resumes(recognition.train, config, tmp_path, data={"root": str(digits)})
    [resumed] = (tmp_path / "after-epoch-2").iterdir()
    a, b = (load_weights(checkpoint) for checkpoint in (resumed, tmp_path / "whole" / "checkpoint-3"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_seed_gives_the_same_curve_and_another_seed_another(digits: Path, tmp_path: Path) -> None:
    def curve(seed: int, place: str) -> list[dict[str, float]]:
        return learn(LocalRun(tmp_path / place, {"root": str(digits)}, seed=seed), epochs=1, blur_prob=0.5)

    assert curve(0, "a") == curve(0, "b") != curve(1, "c")


def test_loader_processes_change_nothing(digits: Path, tmp_path: Path) -> None:
    alone, helped = (
        learn(LocalRun(tmp_path / str(workers), {"root": str(digits)}), epochs=2, noise_prob=1.0, workers=workers)
        for workers in (0, 2)
    )
    assert alone == helped


@pytest.mark.parametrize("settings", [{"neck": "none"}, {"width": 0}, {"backbone": "mobilenetv3_small_100"}])
def test_every_kind_of_network_takes_an_epoch(settings: dict[str, Any], digits: Path, tmp_path: Path) -> None:
    [report] = learn(LocalRun(tmp_path, {"root": str(digits)}), epochs=1, **settings)
    assert np.isfinite(report["train/loss"])


def test_a_mad_learning_rate_is_reported_as_not_finite(digits: Path, tmp_path: Path) -> None:
    settings = {"optimizer": "sgd", "lr": 1e25, "gradient_clip": 0.0, "lr_schedule": "constant", "epochs": 5}
    reports = learn(LocalRun(tmp_path, {"root": str(digits)}), **settings)
    assert not np.isfinite(reports[-1]["train/loss"])


def test_a_label_that_no_width_of_its_crop_can_hold_is_named_before_anything_is_learnt(
    digits: Path, tmp_path: Path
) -> None:
    data = relabelled(digits, tmp_path, lambda row: row | {"text": "1" * 7} if row["path"] == "003.png" else row)
    with pytest.raises(ValueError, match=r"003.png: '1111111' needs 13 time steps, .* 40 px give 10; .* width to 52"):
        learn(LocalRun(tmp_path, data))
    with pytest.raises(ValueError, match=r"003.png: .* a greater height"):
        learn(LocalRun(tmp_path, data), width=0)


def test_a_character_that_train_lacks_makes_its_crop_wrong_and_nothing_fail(
    learnt: tuple[LocalRun, list[dict[str, float]]], digits: Path, tmp_path: Path
) -> None:
    scores = []
    for text in (None, "가", "가" * 30):
        folder = tmp_path / str(text)
        change = partial(
            lambda row, text: row | {"text": text} if text and row["path"] == "097.png" else row, text=text
        )
        run = LocalRun(folder, relabelled(digits, folder, change), checkpoint_dir=learnt[0].saved[-1])
        scores.append(recognition.test(Config(**SMALL), run)["test/acc"])
    assert scores[1:] == [scores[0] - 1 / 16] * 2


def test_a_checkpoint_says_itself_what_it_reads(learnt: tuple[LocalRun, Any], tmp_path: Path) -> None:
    run = LocalRun(tmp_path, {"root": "/no/such/folder"}, checkpoint_dir=learnt[0].saved[-1])
    model, charset = load_recogniser(Config(**SMALL), run)
    assert charset == Charset.of(DIGITS)
    assert not model.training


def test_a_checkpoint_of_other_characters_is_not_gone_on_from(
    learnt: tuple[LocalRun, Any], digits: Path, tmp_path: Path
) -> None:
    data = relabelled(digits, tmp_path, lambda row: row | {"text": row["text"].replace("7", "9")})
    run = LocalRun(tmp_path, data, checkpoint_dir=learnt[0].saved[0])
    with pytest.raises(ValueError, match=r"charset: must be the 4 characters that .* has learnt, but .* --fresh"):
        learn(run)


def relabelled(digits: Path, folder: Path, change: Callable[[dict[str, str]], dict[str, str] | None]) -> dict[str, str]:
    """Puts the same crops under other labels; None leaves a crop out."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in digits.glob("*.png"):
        (folder / file.name).symlink_to(file)
    with (digits / "labels.csv").open(encoding="utf-8") as file:
        rows = [changed for row in csv.DictReader(file) if (changed := change(row)) is not None]
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["path", "text", "split"])
        table.writeheader()
        table.writerows(rows)
    return {"root": str(folder)}


def test_the_package_is_imported_without_torch_or_opencv() -> None:
    code = "import sys, trainables.recognition; print(sorted({'torch', 'cv2', 'numpy', 'timm'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_smoke_trains_on_drawn_plates_whatever_the_file_says(tmp_path: Path) -> None:
    settings = recognition.smoke["space"]
    assert set(settings) <= set(Config.__dataclass_fields__)
    run = LocalRun(tmp_path, recognition.smoke["data"])
    [report] = recognition.train(
        Config(**{"backbone": "mobilenetv3_small_100", "width": 0, "batch_size": 64} | settings), run
    )
    assert np.isfinite(report["train/loss"])


@pytest.mark.data
@pytest.mark.parametrize(("name", "settings"), [("ccpd_plates", {}), ("tapuscorpus_lines", {"width": 0})])
def test_real_crops_go_all_the_way_through(
    name: str, settings: dict[str, Any], data_root: Path, tmp_path: Path
) -> None:
    with (data_root / name / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    few = [row for split in ("train", "val", "test") for row in [r for r in rows if r[2] == split][:32]]
    with (tmp_path / "few.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([rows[0], *few])
    run = LocalRun(tmp_path / "run", {"root": str(data_root / name), "labels": str(tmp_path / "few.csv")})
    config = Config(epochs=1, neck_hidden_size=8, **settings)
    assert [np.isfinite(report["train/loss"]) for report in recognition.train(config, run)] == [True]
    run.checkpoint_dir = run.saved[0]
    assert 0 <= recognition.test(config, run)["test/ned"] < 0.5


def test_the_name_in_a_study_file_is_recognition() -> None:
    trainable = load_trainable("recognition")
    assert trainable.Config is Config
    assert None not in (trainable.smoke, trainable.test, trainable.examples, trainable.predict, trainable.fingerprint)
