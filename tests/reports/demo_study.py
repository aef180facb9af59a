"""A study as nights leave them, made up: curves that saturate, ASHA's cuts, failures, baselines, pictures.

`python -m tests.reports.demo_study DIRECTORY [LANG]` writes its report, to look at.
"""

from __future__ import annotations

import math
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.job import FailureClass
from orchestrator.policies.asha import Asha
from orchestrator.policies.policy import Decision
from orchestrator.trial import FailedAttempt, Objective, Report, State, Trial
from reports.numbers.study_view import StudyView
from reports.report import write_report

SEARCHED: dict[str, dict[str, Any]] = {
    "lr": {"low": 1e-4, "high": 1e-3, "log": True, "step": None},
    "weight_decay": {"low": 5e-5, "high": 1.5e-4, "log": True, "step": None},
    "lr_schedule": {"choices": ["cosine", "onecycle", "constant"]},
    "warmup_epochs": {"low": 0, "high": 3, "log": False, "step": 1},
    "batch_size": {"low": 4, "high": 16, "log": False, "step": 4},
    "rotate_prob": {"low": 0.0, "high": 1.0, "log": False, "step": None},
}
EPOCHS = 16
BEGUN = 1_760_000_000.0


def goodness(config: dict[str, Any]) -> float:
    """Returns the value that a config tends to: best at lr 4.5e-4 and the smallest weight decay."""
    value = 0.9665 - 0.030 * (math.log10(config["lr"] / 4.5e-4)) ** 2
    value -= 0.012 * math.log10(config["weight_decay"] / 5e-5)
    value -= 0.006 * (config["lr_schedule"] == "constant") + 0.008 * abs(config["rotate_prob"] - 0.4)
    return value


def draw_config(rng: random.Random) -> dict[str, Any]:
    return {
        "backbone": "hrnet_w44",
        "lr": 10 ** rng.uniform(-4, -3),
        "weight_decay": 5e-5 * 3 ** rng.random(),
        "lr_schedule": rng.choice(SEARCHED["lr_schedule"]["choices"]),
        "warmup_epochs": rng.randrange(4),
        "batch_size": rng.choice([4, 8, 12, 16]),
        "rotate_prob": rng.random(),
        "epochs": EPOCHS,
    }


def demo_trials(count: int = 20, seed: int = 3, epochs: int = EPOCHS) -> list[Trial]:
    """Makes the trials: 1 is a baseline; one fails of memory, one of a NaN; the rest meet ASHA at 1, 3 and 9 epochs."""
    rng = random.Random(seed)
    asha = Asha(eta=3, grace_epochs=1)
    trials = []
    clock = BEGUN
    for number in range(1, count + 1):
        config = draw_config(rng)
        baseline = None
        if number == 1:
            baseline = "best by hand"
            config |= {
                "lr": 4.5e-4,
                "weight_decay": 9.8e-5,
                "lr_schedule": "cosine",
                "batch_size": 8,
                "rotate_prob": 0.2,
            }
        seconds = rng.uniform(260.0, 330.0)
        state, reason, error, reports = State.COMPLETED, f"last epoch: {epochs} of {epochs}", None, []
        start = 0.5 + rng.gauss(0.0, 0.02) + 4.0 * (goodness(config) - 0.95)
        for epoch in range(1, epochs + 1):
            if number == 8 and epoch == 1:
                state, reason = (
                    State.FAILED,
                    "out of memory: OutOfMemoryError: CUDA out of memory. Tried to allocate 2.3 GiB",
                )
                error = 'Traceback (most recent call last):\n  File "engine.py", line 210, in train\n' + reason
                break
            level = goodness(config) - (goodness(config) - start) * math.exp(-0.75 * (epoch - 1))
            dip = 0.03 * (epoch == 5)  # the switch of resolution
            value = level - dip + rng.gauss(0.0, 0.0007)
            if number == 14 and epoch == 3:
                value, state, reason = math.nan, State.FAILED, "non-finite: `val/hmean` is nan at epoch 3"
            metrics = {
                "val/hmean": value,
                "val/precision": value + 0.004,
                "train/loss": 2.4 * math.exp(-0.3 * epoch) + 0.4,
            }
            clock += seconds
            reports.append(Report(epoch, metrics, seconds, clock, True))
            if state is State.FAILED:
                break
            decision = asha.report(number, epoch, value)
            if decision is Decision.PRUNE and baseline is None and epoch < epochs:
                state, reason = State.PRUNED, f"below the best 1/3 at the rung of epoch {epoch}"
                break
        more: dict[str, Any] = {"created": BEGUN, "facts": {"host": "gpu-node-1", "device": "cuda"}}
        if state is State.FAILED:
            assert reason is not None
            more["failures"] = (FailedAttempt(FailureClass(reason.partition(":")[0]), len(reports)),)
        trials.append(Trial(number, config, state, reason, error, baseline, 0, tuple(reports), **more))
    return trials


def demo_view(directory: Path, **changes: Any) -> StudyView:
    """Makes the study, finished; the winner and the baseline tested, four pictures drawn. changes: other fields."""
    trials = changes.pop("trials", None)
    objective = Objective("val/hmean", "max")
    if trials is None:
        trials = demo_trials()
        winner = max((t for t in trials if t.state is State.COMPLETED), key=lambda t: t.value(objective) or 0.0)
        tests = {1: 0.9598, winner.number: 0.9641}
        trials = [replace(t, test={"test/hmean": tests[t.number]}) if t.number in tests else t for t in trials]
        draw_pictures(directory / "hrnet" / "trials" / f"{winner.number:04d}" / "examples")
    fields: dict[str, Any] = {
        "name": "hrnet",
        "status": "finished",
        "reason": None,
        "objective": objective,
        "trials": trials,
        "searched": SEARCHED,
        "fixed": {"backbone": "hrnet_w44", "epochs": EPOCHS, "resolution": {1: 640, 5: 960}},
        "scheduler": {"name": "asha", "eta": 3, "grace_epochs": 1},
        "facts": {
            "file": "search_spaces/hrnet.yaml",
            "git": {"commit": "8c1f2e0b7d", "dirty": True},
            "python": "3.12.4",
            "versions": {"torch": "2.8.0", "ray": "2.60.0", "mlflow": "3.17.0"},
            "data_fingerprint": "receipts-3272-5d41402abc4b",
        },
        "seconds": sum(t.seconds for t in trials) / 2 + 300.0,
        "trial_directory": directory / "hrnet" / "trials",
        "budget": {"trials": 20},
        "resources": {"gpu": 1, "cpu": 4},
        "trainable": "detection",
        "data": {"root": "data/receipts", "folds": 5, "fold": 0},
        "created": BEGUN,
    }
    return StudyView(**(fields | changes))


def draw_pictures(directory: Path) -> None:
    """Draws receipts with found boxes, as a trainable would leave them."""
    from PIL import Image, ImageDraw

    directory.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    for number in range(4):
        image = Image.new("RGB", (480, 640), "#d9d4c9")
        pen = ImageDraw.Draw(image)
        pen.polygon([(70, 30), (410, 40), (400, 610), (80, 600)], fill="#fbfaf6")
        for line in range(16):
            y, width = 70 + 32 * line, rng.randrange(90, 280)
            pen.rectangle((110, y, 110 + width, y + 14), fill="#55524c")
            colour = "#c8323c" if (number, line) == (2, 7) else "#1a9c5b"
            pen.rectangle((104, y - 5, 116 + width, y + 19), outline=colour, width=3)
        image.save(directory / f"receipt_{number + 1:03d}_hmean_0.{97 - number}.png")


if __name__ == "__main__":
    target = Path(sys.argv[1]).absolute()
    print(write_report(demo_view(target), target, *sys.argv[2:3]))
