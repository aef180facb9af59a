"""Detects text: DBNet over a timm backbone. The hooks import torch only when they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trainables.detection.config import Config
from trainables.metric import Metric
from trainables.train_config import ENGINE_METRICS
from trainables.trainable import Finding, Run

__all__ = ["Config", "check", "examples", "fingerprint", "smoke", "test", "train", "yields"]

# A smoke run takes seconds but keeps the study's own backbone and augmentation, from scratch, on a few drawn pages.
smoke: Mapping[str, Any] = {
    "space": {"pretrained": False, "resolution": 64, "epochs": 1, "batch_size": 2, "workers": 0},
    "data": {"root": "synthetic/receipts", "pages": 8, "size": 128},
}

yields: Mapping[str, Metric] = (
    dict(ENGINE_METRICS)
    | dict.fromkeys(("train/bce", "train/l1", "train/dice"), Metric("min"))
    | dict.fromkeys(("val/hmean", "val/precision", "val/recall"), Metric("max"))
)


def train(config: Config, run: Run) -> Iterator[dict[str, float]]:
    """Yields train/loss, lr, val/hmean, val/precision, val/recall, images_per_second once an epoch."""
    from trainables.detection.training import train

    return train(config, run)


def test(config: Config, run: Run) -> dict[str, float]:
    """Returns test/hmean, test/precision, test/recall of run.checkpoint_dir; {} without a test split."""
    from trainables.detection.training import score_test_split

    return score_test_split(config, run)


def examples(config: Config, run: Run, directory: Path) -> None:
    """Draws what run.checkpoint_dir finds and misses on a few pages, as PNG files in `directory`."""
    from trainables.detection.pictures import draw_examples

    draw_examples(config, run, directory)


def check(config: Config, data: Mapping[str, Any], directory: Path) -> Iterator[Finding]:
    """Looks at labels and one batch before GPU hours; pictures go into `directory`."""
    from trainables.detection import preflight

    return preflight.check(config, data, directory)


def fingerprint(data: Mapping[str, Any]) -> str:
    """Returns a short text that changes when the data do."""
    from trainables.detection import data_fingerprint

    return data_fingerprint.fingerprint(data)
