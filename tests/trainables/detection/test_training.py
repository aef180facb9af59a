"""Checks that a small detector learns hand-drawn pages, goes on where it stopped, is scored, and draws its pictures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.trainables.detection.bars import write_bars
from trainables import LocalRun, check_resumes, detection
from trainables.checkpoint import load_weights
from trainables.detection.config import Config
from trainables.local_run import MEASURED

SMALL: dict[str, Any] = {
    "backbone": "tiny",
    "pretrained": False,
    "resolution": 96,
    "decoder_channels": 16,
    "batch_size": 4,
    "lr": 0.01,
    "epochs": 3,
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes 16 pages of dark bars, 8 of them to train with."""
    return write_bars(tmp_path_factory.mktemp("bars"))


def learn(run: LocalRun, **settings: Any) -> list[dict[str, float]]:
    """Returns the reports of a run without what was measured."""
    reports = detection.train(Config(**{**SMALL, **settings}), run)
    return [{name: value for name, value in report.items() if name not in MEASURED} for report in reports]


@pytest.fixture(scope="module")
def learnt(pages: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalRun, list[dict[str, float]]]:
    """Trains once for all tests."""
    run = LocalRun(tmp_path_factory.mktemp("run"), {"root": str(pages)})
    return run, learn(run, epochs=24)


def test_it_learns_to_find_bars(learnt: tuple[LocalRun, list[dict[str, float]]]) -> None:
    assert set(learnt[1][0]) | set(MEASURED) == set(detection.yields)
    reports = learnt[1]
    assert max(report["val/hmean"] for report in reports) > 0.9
    assert reports[-1]["train/loss"] < 0.5 * reports[0]["train/loss"]
    names = {"train/loss", "train/bce", "train/l1", "train/dice", "lr", "val/hmean", "val/precision", "val/recall"}
    assert all(set(report) == names for report in reports)


def test_the_test_split_is_scored_from_the_checkpoint(learnt: tuple[LocalRun, Any], pages: Path) -> None:
    run = LocalRun(learnt[0].folder, {"root": str(pages)}, checkpoint_dir=learnt[0].saved[-1])
    scores = detection.test(Config(**SMALL), run)
    assert set(scores) == {"test/hmean", "test/precision", "test/recall"}
    assert scores["test/hmean"] > 0.85


def test_without_a_test_split_there_is_nothing_to_score(
    learnt: tuple[LocalRun, Any], pages: Path, tmp_path: Path
) -> None:
    entries = json.loads((pages / "annotations.json").read_text())
    (tmp_path / "images").symlink_to(pages / "images")
    (tmp_path / "annotations.json").write_text(json.dumps([e for e in entries if e["split"] != "test"]))
    run = LocalRun(tmp_path, {"root": str(tmp_path)}, checkpoint_dir=learnt[0].saved[-1])
    assert detection.test(Config(**SMALL), run) == {}


def test_a_resumed_run_equals_an_uninterrupted_one(pages: Path, tmp_path: Path) -> None:
    settings = {"rotate_prob": 0.5, "color_jitter_prob": 0.5, "noise_prob": 0.5, "ema_decay": 0.8}
    config = Config(**{**SMALL, **settings})
    check_resumes(detection.train, config, tmp_path, data={"root": str(pages)})
    [resumed] = (tmp_path / "after-epoch-2").iterdir()
    a, b = (load_weights(checkpoint) for checkpoint in (resumed, tmp_path / "whole" / "checkpoint-3"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_seed_gives_the_same_curve_and_another_seed_another(pages: Path, tmp_path: Path) -> None:
    def curve(seed: int, place: str) -> list[dict[str, float]]:
        return learn(LocalRun(tmp_path / place, {"root": str(pages)}, seed=seed), epochs=1, crop_prob=0.5)

    assert curve(0, "a") == curve(0, "b") != curve(1, "c")


def test_loader_processes_change_nothing(pages: Path, tmp_path: Path) -> None:
    alone, helped = (
        learn(LocalRun(tmp_path / str(workers), {"root": str(pages)}), epochs=2, noise_prob=1.0, workers=workers)
        for workers in (0, 2)
    )
    assert alone == helped


def test_resolution_follows_its_epochs(pages: Path, tmp_path: Path) -> None:
    run = LocalRun(tmp_path, {"root": str(pages)})
    assert len(learn(run, resolution={"1": 64, "3": 96}, epochs=3)) == 3  # JSON turns keys into texts.
    run.checkpoint_dir = run.saved[-1]
    assert detection.test(Config(**{**SMALL, "resolution": {1: 64, 3: 96}}), run)


def test_a_mad_learning_rate_is_reported_as_not_finite(pages: Path, tmp_path: Path) -> None:
    settings = {"optimizer": "sgd", "lr": 1e25, "gradient_clip": 0.0, "lr_schedule": "constant", "epochs": 5}
    reports = learn(LocalRun(tmp_path, {"root": str(pages)}), **settings)
    assert not np.isfinite(reports[-1]["train/loss"])


def test_pictures_are_few_small_and_from_worst_to_best(
    learnt: tuple[LocalRun, Any], pages: Path, tmp_path: Path
) -> None:
    run = LocalRun(tmp_path, {"root": str(pages)}, checkpoint_dir=learnt[0].saved[-1])
    detection.examples(Config(**SMALL), run, tmp_path / "examples")
    pictures = sorted((tmp_path / "examples").iterdir())
    assert [p.name[:2] for p in pictures] == ["1-", "2-", "3-", "4-"]
    for picture in pictures:
        image = cv2.imread(str(picture))
        assert 300 <= max(image.shape) <= 700 and picture.stat().st_size < 150_000


def test_pictures_are_drawn_when_nothing_was_found(pages: Path, tmp_path: Path) -> None:
    run = LocalRun(tmp_path / "run", {"root": str(pages)})
    learn(run, epochs=1, lr=1e-9)
    run.checkpoint_dir = run.saved[-1]
    detection.examples(Config(**{**SMALL, "thresh": 0.99}), run, tmp_path / "examples")
    [first, *_] = sorted((tmp_path / "examples").iterdir())
    image = cv2.imread(str(first)).astype(int)
    assert ((image[..., 2] - image[..., 0]) > 60).any()  # What was missed is red.


def test_the_package_is_imported_without_torch_or_opencv() -> None:
    code = "import sys, trainables.detection; print(sorted({'torch', 'cv2', 'numpy', 'timm'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_smoke_fixes_only_settings_that_exist() -> None:
    fields = set(Config.__dataclass_fields__)
    assert set(detection.smoke["space"]) <= fields
    Config(**detection.smoke["space"])
