"""Causes again, on drawn digits, what went wrong in experiments by hand: each has its name within a minute."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest
import torch

from orchestrator.trial import Objective, Report, Trial
from reports.numbers.symptoms import Kind, symptom_of
from tests.trainables.recognition.digits import write_digits
from trainables import LocalRun
from trainables.recognition import Config, train

EXACT = Objective("val/acc", "max")


@pytest.fixture(autouse=True)
def one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path / "cache"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def symptom_in(tmp_path: Path, shuffled: bool = False, **settings: object) -> Kind | None:
    root = tmp_path / "digits"
    root.mkdir()
    # Three digits each where texts are shuffled: a shorter one may be guessed right by luck.
    write_digits(root, train=48, others=16, shortest=3 if shuffled else 1)
    if shuffled:
        shuffle_texts(root / "labels.csv")
    config = Config(**{"width": 48, "batch_size": 16, "neck_hidden_size": 32} | settings)
    reports = train(config, LocalRun(tmp_path / "run", {"root": str(root)}))
    trial = Trial(1, {}, reports=tuple(Report(e, dict(m), 1.0, float(e)) for e, m in enumerate(reports, start=1)))
    symptom = symptom_of(trial, EXACT)
    return None if symptom is None else symptom.kind


def shuffle_texts(labels: Path) -> None:
    """Gives the texts to other pictures; every one is still there, and encodes and decodes to itself."""
    with labels.open(encoding="utf-8", newline="") as stream:
        heading, *rows = csv.reader(stream)
    texts = [text for _, text, _ in rows]
    random.Random(0).shuffle(texts)
    with labels.open("w", encoding="utf-8", newline="") as stream:
        rows = [(path, text, split) for (path, _, split), text in zip(rows, texts, strict=True)]
        csv.writer(stream).writerows([heading, *rows])


def test_a_course_that_never_leaves_the_plateau_is_stuck(tmp_path: Path):
    assert symptom_in(tmp_path, epochs=12, lr=3e-4, lr_schedule="constant") is Kind.STUCK  # as exp2


def test_texts_that_belong_to_other_pictures_have_no_effect(tmp_path: Path):
    assert symptom_in(tmp_path, shuffled=True, epochs=40, batch_size=8, lr=4e-3) is Kind.LABELS  # as exp7


def test_a_learning_rate_that_decays_at_once_is_named(tmp_path: Path):
    decaying = {"lr": 2e-3, "lr_schedule": "step", "step_epochs": 3.0, "step_factor": 0.1}
    assert symptom_in(tmp_path, epochs=20, **decaying) is Kind.LR_SPENT  # as exp12


def test_a_sound_course_has_no_symptom(tmp_path: Path):
    assert symptom_in(tmp_path, epochs=40, lr=6e-3, noise_prob=0.5, jitter_prob=0.5) is None
