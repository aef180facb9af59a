"""Runs a trainable without an orchestrator, in a plain for loop, and checks that it resumes exactly."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from trainables.trainable import Trainable

MEASURED = ("images_per_second", "peak_memory_gb")  # metrics that no two runs share

Report = Mapping[str, float]


@dataclass
class LocalRun:
    """Takes the place of the orchestrator's `run`; checkpoints become numbered folders in `folder`.

    data, device, seed, checkpoint_dir, watch: what the trainable receives (see trainables.Run).
    saved: the folders of the checkpoints that this run has saved, the newest last.
    """

    folder: Path
    data: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    seed: int = 0
    checkpoint_dir: Path | None = None
    watch: tuple[str, str] | None = None
    saved: list[Path] = field(default_factory=list, init=False)

    @property
    def directory(self) -> Path:
        """Returns the folder `files` in `folder`, and creates it."""
        directory = self.folder / "files"
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def save_checkpoint(self, fill: Callable[[Path], None]) -> None:
        """Creates the next free folder of checkpoint-1, checkpoint-2, ... and calls `fill` on it."""
        number = 1
        while (directory := self.folder / f"checkpoint-{number}").exists():
            number += 1
        directory.mkdir(parents=True)
        fill(directory)
        self.saved.append(directory)

    def tell_step(self, step: int, steps: int | None = None) -> None:
        """Does nothing: nobody watches."""


def check_resumes(
    trainable: Trainable | Callable[[Any, Any], Iterator[Report]],
    config: Any,
    folder: Path,
    *,
    data: Mapping[str, Any] | None = None,
    device: str = "cpu",
    seed: int = 0,
    stop_after: int | None = None,
    measured: Collection[str] = MEASURED,
) -> None:
    """Trains in one go and again with interruptions; raises AssertionError unless both report the same.

    trainable, config: a loaded trainable or its `train`, and what `train` receives as its config.
    folder: receives the checkpoints of both runs, and must not hold those of an earlier check.
    stop_after: the epoch after which to interrupt the second run; None interrupts it after every epoch.
    measured: metrics that are not compared.

    An interrupted run goes on from the checkpoint that was saved last. Before that, the generators of Python, NumPy and
    torch are moved on, because in a new process their numbers are other ones too. The message names the epoch, the
    metric and both values. Raises ValueError for a `stop_after` that no other epoch follows.
    """
    train = trainable.train if isinstance(trainable, Trainable) else trainable
    start = partial(LocalRun, data=data or {}, device=device, seed=seed)
    whole = [dict(report) for report in train(config, start(folder / "whole"))]
    if not whole:
        raise AssertionError("no epoch was reported; give the config one epoch or more")
    if stop_after is not None and not 1 <= stop_after < len(whole):
        raise ValueError(f"stop_after: must be an epoch from 1 to {len(whole) - 1}, but got {stop_after}")
    epoch, checkpoint = 0, None
    while True:
        begun = epoch
        run = start(folder / f"after-epoch-{begun}", checkpoint_dir=checkpoint)
        reports = train(config, run)
        for report in reports:
            epoch += 1
            _compare(whole, report, epoch, begun, measured)
            if stop_after in (None, epoch):
                break
        else:
            if epoch < len(whole):
                raise AssertionError(f"epoch {epoch + 1}: is not reported by {_described(begun)}, but in one go")
            return
        if isinstance(reports, Generator):
            reports.close()
        if run.saved:
            checkpoint = run.saved[-1]
        elif epoch == len(whole):
            return
        else:
            raise AssertionError(
                f"epoch {epoch}: is reported before a checkpoint was saved; call run.save_checkpoint, then yield"
            )
        _move_generators_on()


def _compare(whole: list[dict[str, float]], report: Report, epoch: int, begun: int, measured: Collection[str]) -> None:
    """Raises AssertionError where the report of `epoch` is not the one of the run in one go."""
    if epoch > len(whole):
        raise AssertionError(f"epoch {epoch}: is reported by {_described(begun)}, but not in one go")
    expected = whole[epoch - 1]
    for metric in {**expected, **report}:
        if metric not in measured and not _equal(expected.get(metric), report.get(metric)):
            raise AssertionError(
                f"epoch {epoch}: {metric} is {_shown(report.get(metric))} in {_described(begun)}, but "
                f"{_shown(expected.get(metric))} in one go; {_advice(begun)}"
            )


def _equal(a: float | None, b: float | None) -> bool:
    """Compares two values of a metric; None stands for absent, and NaN equals NaN."""
    if a is None or b is None:
        return a is b
    return a == b or (math.isnan(a) and math.isnan(b))


def _shown(value: float | None) -> str:
    """Writes a value in full, so that the smallest difference shows."""
    return "absent" if value is None else repr(float(value))


def _described(begun: int) -> str:
    """Names the interrupted run in messages."""
    return f"a run that goes on after epoch {begun}" if begun else "a second run"


def _advice(begun: int) -> str:
    """Says what to look for where reports differ."""
    if begun:
        return "save all that the next epoch needs, and draw random numbers from run.seed and the epoch"
    return "nothing but the config, the data and run.seed may decide what a run reports"


def _move_generators_on() -> None:
    """Draws a number from each global generator of the libraries that are loaded; loads none itself."""
    random.random()
    if numpy := sys.modules.get("numpy"):
        numpy.random.random()
    if torch := sys.modules.get("torch"):
        torch.rand(1)
        if torch.cuda.is_initialized():
            torch.rand(1, device="cuda")
