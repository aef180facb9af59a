"""Scores winner and baselines on the test split, once, after the search; draws what the winner sees."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.worker.run import WorkerRun
from trainables import Trainable


def score(trainable: Trainable, values: dict[str, Any], run: WorkerRun, pictures: Path | None) -> Mapping[str, float]:
    """Returns the test metrics of the run's checkpoint, {} without a test split. pictures: the folder they go to."""
    config = trainable.build_config(values)
    if pictures is not None and trainable.examples is not None:
        pictures.mkdir(exist_ok=True)
        trainable.examples(config, run, pictures)
    return trainable.test(config, run) if trainable.test is not None else {}
