"""Adds a diary to the toy: which process began which epoch of which trial, and when, whatever the ledger says.

`trainable: benchmarks.fault.diary`; `data: {diary: /a/file}`, on a disk that no fault fills.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import toy
from trainables import Run

Config = toy.Config


def train(config: toy.Config, run: Run) -> Iterator[Mapping[str, float]]:
    """Trains as the toy, but writes a line before each epoch; a worker asked for another knows that the last counted.

    Raises as long as the file `broken` lies beside the diary: a mistake in the code, which somebody mends.
    """
    if Path(run.data["diary"]).with_name("broken").exists():
        raise TypeError("the trainable's code is broken")
    attempt = f"{os.getpid()}.{time.monotonic_ns()}"
    epoch = 0
    if run.checkpoint_dir is not None:
        epoch = json.loads((run.checkpoint_dir / "state.json").read_text())["epoch"]
    epochs = toy.train(config, _Mover(run) if run.data.get("moves") == config.family else run)
    while epoch < config.epochs:
        epoch += 1
        _note(Path(run.data["diary"]), Begun(config.lr, epoch, attempt, os.getpid(), time.time()))
        yield next(epochs)


class _Mover:
    """Moves a run's checkpoints away from the folder that they are to be saved in."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    def save_checkpoint(self, fill: Callable[[Path], None]) -> None:
        def fill_and_move(folder: Path) -> None:
            fill(folder)
            folder.rename(Path(self._run.data["diary"]).with_name(f"moved-{time.monotonic_ns()}"))

        self._run.save_checkpoint(fill_and_move)


@dataclass(frozen=True)
class Begun:
    """Holds one line. lr: names the trial, as no two have the same. attempt: of one generator. at: unix time."""

    lr: float
    epoch: int
    attempt: str
    pid: int
    at: float


def read(diary: Path) -> list[Begun]:
    """Returns the lines in the order in which the epochs began."""
    lines = diary.read_text().splitlines() if diary.exists() else []
    return [Begun(**json.loads(line)) for line in lines]


def _note(diary: Path, begun: Begun) -> None:
    descriptor = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(descriptor, (json.dumps(begun.__dict__) + "\n").encode())  # one write: lines of two workers do not mix
    os.close(descriptor)
