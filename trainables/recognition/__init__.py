"""Recognises text: CRNN and CTC over a timm backbone. The hooks import torch only when they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from trainables.metric import Metric
from trainables.recognition.config import Config
from trainables.train_config import ENGINE_METRICS
from trainables.trainable import Finding, Run

__all__ = ["Config", "check", "examples", "fingerprint", "predict", "smoke", "test", "train", "yields"]

# A smoke run takes seconds but keeps the study's own backbone and augmentation, from scratch, on a few drawn plates.
smoke: Mapping[str, Any] = {
    "space": {"pretrained": False, "height": 32, "width": 64, "epochs": 1, "batch_size": 4, "workers": 0},
    "data": {"root": "synthetic/plates", "crops": 16},
}

_CTC = "CTC first learns to say nothing, so that no crop is read without an error for about a quarter of the course"
yields: Mapping[str, Metric] = {
    **ENGINE_METRICS,
    "train/acc": Metric("max", _CTC, moves="train/loss"),
    "val/acc": Metric("max", _CTC, moves="val/ned"),
    "val/ned": Metric("max"),
    "val/cer": Metric("min"),
}


def train(config: Config, run: Run) -> Iterator[dict[str, float]]:
    """Yields train/loss, train/acc, lr, val/acc, val/ned, val/cer, images_per_second once an epoch."""
    from trainables.recognition.training import train

    return train(config, run)


def test(config: Config, run: Run) -> dict[str, float]:
    """Returns test/acc, test/ned, test/cer of run.checkpoint_dir; {} without a test split."""
    from trainables.recognition.training import score_test_split

    return score_test_split(config, run)


def examples(config: Config, run: Run, directory: Path) -> None:
    """Draws the crops that run.checkpoint_dir reads worst, and lists which characters it takes for which."""
    from trainables.recognition.pictures import draw_examples

    draw_examples(config, run, directory)


def predict(config: Config, run: Run, files: Sequence[Path], output: TextIO) -> list[str]:
    """Writes `path,text,confidence` for each file; returns a line for each that cannot be read."""
    from trainables.recognition.prediction import read_files

    return read_files(config, run, files, output)


def check(config: Config, data: Mapping[str, Any], directory: Path) -> Iterator[Finding]:
    """Looks at labels, pictures and one batch, and has the network memorise a few crops, before GPU hours."""
    from trainables.recognition import preflight

    return preflight.check(config, data, directory)


def fingerprint(data: Mapping[str, Any]) -> str:
    """Returns a short text that changes when the data do."""
    from trainables.recognition import data_fingerprint

    return data_fingerprint.fingerprint(data)
