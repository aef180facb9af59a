"""A trainable without torch: a quadratic in log10(lr), learned along a saturating curve, with faults on order.

`trainable: tests.toy` or `tests.toy:train`. An epoch costs microseconds, so a test of the orchestrator spends
its time in the orchestrator. Every hook is there, so every step of a study can be tried on it.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import signal
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from trainables import Finding, Run, setting

RATE = 0.4  # of the gap to the plateau that an epoch closes
FAULTS = ("error", "memory", "exit", "kill", "hang", "spin", "freeze", "leave", "abort", "unsayable")


@dataclass(frozen=True)
class Config:
    lr: float = setting(0.01, "learning rate; 0.1 is best, and log10 of it counts", low=1e-5, high=10.0)
    epochs: int = setting(9, "epochs of a complete run", low=1)
    noise: float = setting(0.0, "standard deviation of the score's noise, drawn from (seed, epoch)", low=0.0)
    fail_at: int = setting(0, "epoch in which a fault happens, before its report; 0 never", low=0)
    fault: str = setting("error", "what happens then", choices=FAULTS)
    fail_once: bool = setting(False, "spare an attempt that goes on from a checkpoint")
    fits: int = setting(0, "fault memory spares a micro-batch of at most so many; 0: none", low=0)
    batch_size: int = setting(8, "for the fault memory alone", low=1)
    accumulation_steps: int = setting(1, "pieces that a batch is cut into", low=1)
    nan_at: int = setting(0, "epoch whose score is not a number; 0 never", low=0)
    seconds: float = setting(0.0, "sleep of an epoch", low=0.0)
    checkpoint: bool = setting(True, "save a checkpoint every epoch")
    test_fault: str = setting("none", "what happens in the hook `test`", choices=("none", *FAULTS))
    test_faults: int = setting(99, "in so many calls of it, as `data: {tally: FILE}` counts them", low=0)
    test_seconds: float = setting(0.0, "sleep of the hook `test`", low=0.0)
    says: str = setting("", "what it returns at its end, as a reason")
    family: str = setting("a", "a choice without any effect on the score", choices=("a", "b", "c"))


smoke: Mapping[str, Any] = {"space": {"epochs": 2, "seconds": 0.0}, "data": {}}


def plateau(lr: float) -> float:
    """The score that training tends to: 1 at lr 0.1, 0.36 at 1e-5, 0.84 at 10."""
    return 1.0 - 0.04 * (math.log10(lr) + 1.0) ** 2


def score_at(lr: float, epoch: int) -> float:
    """The noiseless score after `epoch` epochs in closed form: what `train` must yield, up to rounding."""
    return plateau(lr) * (1.0 - (1.0 - RATE) ** epoch)


def train(config: Config, run: Run) -> Generator[Mapping[str, float], None, str | None]:
    """Yield val/score (max) and train/loss (min) once an epoch; the checkpoint alone carries the state."""
    state = {"epoch": 0, "score": 0.0}
    if run.checkpoint_dir is not None:
        state = json.loads((run.checkpoint_dir / "state.json").read_text())
    resumed = run.checkpoint_dir is not None
    for epoch in range(state["epoch"] + 1, config.epochs + 1):
        if config.seconds:
            time.sleep(config.seconds)
        spared = (config.fail_once and resumed) or config.batch_size / config.accumulation_steps <= config.fits
        if epoch == config.fail_at and not spared:
            _fail(config.fault, epoch)
        state = {"epoch": epoch, "score": state["score"] + RATE * (plateau(config.lr) - state["score"])}
        noise = config.noise * random.Random(f"{run.seed}/{epoch}").gauss(0.0, 1.0)
        score = math.nan if epoch == config.nan_at else state["score"] + noise
        if config.checkpoint:
            text = json.dumps(state | {"lr": config.lr})  # JSON floats read back exactly
            run.save_checkpoint(lambda directory, text=text: _fill(directory, text))
        yield {"val/score": score, "train/loss": 1.0 - score}
    return config.says or None


def check(config: Config, data: Mapping[str, Any], directory: Path) -> list[Finding]:
    """One finding about the settings; `data: {broken: true}` makes a problem of it."""
    problem = "data.broken must be false, but got true; remove it" if data.get("broken") else None
    return [Finding("settings", f"lr {config.lr:g} tends to {plateau(config.lr):.3f}", problem)]


def test(config: Config, run: Run) -> Mapping[str, float]:
    """The score of the checkpoint on a test split a little harder than validation; {} with `data: {test: false}`."""
    if run.data.get("test") is False:
        return {}
    calls = _count(run.data.get("tally"), "called")
    time.sleep(config.test_seconds)
    spared = calls > config.test_faults or config.batch_size / config.accumulation_steps <= config.fits
    if config.test_fault != "none" and not spared:
        _fail(config.test_fault, 0)
    if run.checkpoint_dir is None:
        raise ValueError("test needs a checkpoint, but run.checkpoint_dir is None")
    state = json.loads((run.checkpoint_dir / "state.json").read_text())
    _count(run.data.get("tally"), "scored")
    return {"test/score": 0.98 * state["score"]}


def _count(tally: str | None, word: str) -> int:
    """Adds a line to the tally; returns how often this word stands there now."""
    if tally is None:
        return 0
    with Path(tally).open("a") as file:
        file.write(f"{word}\n")
    return Path(tally).read_text().split().count(word)


def examples(config: Config, run: Run, directory: Path) -> None:
    """One grey picture, as bright as the score of the checkpoint is high."""
    from PIL import Image

    if run.checkpoint_dir is None:
        raise ValueError("examples need a checkpoint, but run.checkpoint_dir is None")
    state = json.loads((run.checkpoint_dir / "state.json").read_text())
    Image.new("L", (32, 32), round(255 * state["score"])).save(directory / "score.png")


def predict(config: Config, run: Run, files: Sequence[Path], output: TextIO) -> list[str]:
    """A line for each file: its name and the score of the checkpoint; a file named bad* cannot be read."""
    if run.checkpoint_dir is None:
        raise ValueError("predict needs a checkpoint, but run.checkpoint_dir is None")
    state = json.loads((run.checkpoint_dir / "state.json").read_text())
    for file in files:
        if not file.name.startswith("bad"):
            output.write(f"{file.name},{state['score']:.3f}\n")
    return [f"{file}: cannot be read" for file in files if file.name.startswith("bad")]


def fingerprint(data: Mapping[str, Any]) -> str:
    return json.dumps(dict(data), sort_keys=True)


class Unsayable(Exception):
    """Has a text that cannot be made."""

    def __str__(self) -> str:
        raise KeyError("text")


def _fill(directory: Path, text: str) -> None:
    (directory / "state.json").write_text(text)


def _fail(fault: str, epoch: int) -> None:
    if fault == "memory":
        raise MemoryError(f"toy: out of memory in epoch {epoch}")
    if fault == "leave":
        sys.exit(3)
    if fault == "abort":
        os.abort()
    if fault == "unsayable":
        raise Unsayable
    if fault == "exit":
        os._exit(1)
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "freeze":  # all threads of it, as a process in an uninterruptible sleep
        os.kill(os.getpid(), signal.SIGSTOP)
    if fault == "hang":
        while True:
            time.sleep(3600.0)
    if fault == "spin":  # for ever and a day in C, holding the GIL
        re.match(r"(a+)+$", "a" * 64 + "b")
    raise RuntimeError(f"toy: told to fail in epoch {epoch}")


# `trainable: tests.toy:train` looks for the hooks on the callable.
for _hook in (Config, check, test, examples, predict, fingerprint):
    setattr(train, _hook.__name__, _hook)
train.smoke = smoke  # type: ignore[attr-defined]
