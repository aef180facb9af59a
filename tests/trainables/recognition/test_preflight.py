"""Checks that configs and data that experiments by hand lost days to are named before training."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from trainables.recognition.config import Config
from trainables.recognition.learning_probe import blind_loss, distinct
from trainables.recognition.preflight import check
from trainables.trainable import Finding

pytestmark = pytest.mark.usefixtures("own_cache")

TEXTS = ["17", "71", "42", "24", "90", "09", "38", "83", "56", "65", "12", "21"]
QUICK = {"width": 48, "batch_size": 8, "epochs": 200, "neck_hidden_size": 32, "lr": 4e-3}


@pytest.fixture(autouse=True)
def one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("trainables.recognition.learning_probe.STEPS", 150)
    monkeypatch.setattr("trainables.recognition.learning_probe.SECONDS", 600.0)  # A busy machine decides as well.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_crops(root: Path, texts: Sequence[str] = TEXTS, blank: bool = False) -> dict[str, str]:
    """Writes crops of two digits, 4 of 6 for train, the others for val. blank: nothing is drawn on them."""
    root.mkdir()
    rows = []
    for index, text in enumerate(texts):
        image = np.full((32, 48, 3), 255, np.uint8)
        if not blank:
            cv2.putText(image, text, (4, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 0, 0), 2)
        image[0, 0] = index  # No two pictures are the same.
        cv2.imwrite(str(root / f"{index}.png"), image)
        rows.append((f"{index}.png", text, "val" if index % 3 == 2 else "train"))
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("path", "text", "split"), *rows])
    return {"root": str(root)}


def findings_of(data: dict[str, str], directory: Path, **settings: object) -> dict[str, Finding]:
    return {finding.check: finding for finding in check(Config(**QUICK | settings), data, directory)}


def test_a_sound_study_has_no_problem_and_shows_its_batch(tmp_path: Path):
    found = findings_of(write_crops(tmp_path / "data"), tmp_path / "check", noise_prob=0.5, crop_prob=0.5)
    assert {name: finding.problem for name, finding in found.items() if finding.problem} == {}
    assert {"labels", "charset", "one batch", "network", "one step", "learning", "augmentation"} <= found.keys()
    [picture] = found["one batch"].pictures
    height, width, _ = cv2.imread(str(picture)).shape
    assert (height, width) == (8 * (64 + 4), 2 * 96 + 8)  # eight crops, before and after, at twice their size
    assert found["one step"].epoch_seconds > 0


def test_augmentation_that_destroys_the_pictures_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from trainables.recognition import augment

    # The mistake of an experiment by hand: values of 0 to 1 where 0 to 255 are expected.
    monkeypatch.setattr(augment, "add_noise", lambda image, deviates, sigma: (image / 255).astype(np.uint8))
    found = findings_of(write_crops(tmp_path / "data"), tmp_path / "check", noise_prob=1.0)
    assert found["learning"].problem is None
    assert found["augmentation"].problem.startswith("augmentation destroys the pictures")


def test_a_learning_rate_that_is_too_low_is_named(tmp_path: Path):
    found = findings_of(write_crops(tmp_path / "data"), tmp_path / "check", lr=4e-5)
    assert found["learning"].problem.startswith("learning rate too low")
    assert "augmentation" not in found


def test_a_trial_too_short_to_learn_anything_is_told_but_not_refused(tmp_path: Path):
    found = findings_of(write_crops(tmp_path / "data"), tmp_path / "check", epochs=1)
    assert found["learning"].problem is None
    assert found["learning"].detail.endswith("a trial of 1 steps is too short to learn anything")


def test_a_learning_rate_that_decays_before_anything_is_learnt_is_named(tmp_path: Path):
    decaying = {"lr_schedule": "step", "step_epochs": 1, "step_factor": 0.1}
    found = findings_of(write_crops(tmp_path / "data"), tmp_path / "check", **decaying)
    assert found["learning"].problem.startswith("learning rate too low")
    assert "let it decay later" in found["learning"].problem


def test_pictures_that_say_nothing_are_learnt_by_no_learning_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trainables.recognition.learning_probe.STEPS", 60)
    found = findings_of(write_crops(tmp_path / "data", blank=True), tmp_path / "check")
    assert "the network learns nothing, whatever the learning rate" in found["learning"].problem


def test_labels_that_do_not_reach_the_loss_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from trainables.recognition.crnn import CRNN

    monkeypatch.setattr("trainables.recognition.learning_probe.STEPS", 30)
    with_labels = CRNN.loss

    def without_labels(self, batch):
        return with_labels(self, batch | {"target": torch.ones_like(batch["target"])})

    monkeypatch.setattr(CRNN, "loss", without_labels)
    monkeypatch.setattr("trainables.recognition.learning_probe.SEES", 0.0)  # A constant label is learnt at once.
    found = findings_of(write_crops(tmp_path / "data"), tmp_path / "check")
    assert found["learning"].problem.startswith("labels without effect")


def test_labels_longer_than_their_time_steps_end_the_check(tmp_path: Path):
    found = findings_of(write_crops(tmp_path / "data", [*TEXTS[:4], "1" * 30, *TEXTS[4:]]), tmp_path / "check")
    assert found["label lengths"].problem is not None
    assert "learning" not in found


def test_labels_that_cannot_be_read_end_the_check(tmp_path: Path):
    (tmp_path / "data").mkdir()
    [finding] = check(Config(), {"root": str(tmp_path / "data")}, tmp_path / "check")
    assert finding.check == "labels"
    assert finding.problem is not None


def test_the_blind_loss_is_the_entropy_of_each_place():
    # By hand: of four labels, place 0 is a or b evenly, place 1 always c.
    assert blind_loss([[1, 3], [1, 3], [2, 3], [2, 3]]) == pytest.approx(math.log(2) / 2)
    assert blind_loss([[1, 2]] * 5) == 0.0
    assert blind_loss([]) == 0.0
    assert blind_loss([[n] for n in range(8)]) == pytest.approx(math.log(8))


def test_crops_to_be_memorised_say_different_texts():
    class Named:
        def __init__(self, text: str) -> None:
            self.text = text

    assert [crop.text for crop in distinct([Named(t) for t in ["b", "b", "", "a", "c"]], 2)] == ["b", "a"]
