"""Checks that training gives the recorded numbers to the last bit, so that moved code changes nothing unseen.

`python -m tests.trainables.test_loss_identity --record` writes them anew, after a change that is meant to change them.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.trainables.detection.bars import write_bars
from tests.trainables.recognition.digits import write_digits
from trainables.local_run import MEASURED, LocalRun

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDED = Path(__file__).with_name("recorded_losses.json")
# Their kernels decide the bits.
PACKAGES = ("numpy", "opencv-python-headless", "pillow", "timm", "torch", "torchvision")

# Makes every library take the kernels that all x86-64 processors have, on one thread. For NumPy see _environment.
PINNED = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENCV_CPU_DISABLE": "AVX,FP16,AVX2,FMA3,AVX512-SKX",
    "OPENCV_IPP": "disabled",
}

# Both tasks have these settings.
_SEEN: dict[str, Any] = {"rotate_prob": 0.3, "crop_prob": 0.3, "blur_prob": 0.5, "noise_prob": 0.5}
_RECEIPTS = {"root": "synthetic/receipts", "pages": 24, "size": 96, "hardness": 0.5}
_PLATES = {"root": "synthetic/plates", "crops": 48, "hardness": 0.5}
# Task -> case -> (settings, data). Between them, every optional part of the loop is on once and off once.
CASES: dict[str, dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "detection": {
        "averaged weights, accumulation, growing pages": (
            {
                **{"backbone": "tiny", "pretrained": False, "decoder_channels": 16, "resolution": {1: 64, 2: 96}},
                **{"epochs": 3, "batch_size": 4, "accumulation_steps": 2, "lr": 0.02, "optimizer": "adamw"},
                **{"lr_schedule": "cosine", "warmup_epochs": 0.5, "min_lr": 1e-4, "weight_decay": 0.05},
                **{"gradient_clip": 1.0, "ema_decay": 0.8, "early_stopping_patience": 3},
                **{"rotate_degrees": 5.0, "hflip_prob": 0.3, "vflip_prob": 0.1, "color_jitter_prob": 0.5},
                **{"thresh": 0.2, "box_thresh": 0.1},
                **_SEEN,
            },
            {"root": "bars"},
        ),
        "plain sgd on dealt pages": (
            {
                **{"backbone": "tiny", "pretrained": False, "decoder_channels": 16, "resolution": 96, "epochs": 2},
                **{"batch_size": 4, "lr": 0.03, "optimizer": "sgd", "lr_schedule": "poly", "gradient_clip": 0.0},
                **{"weight_decay": 1e-3, "channels_last": False, "thresh": 0.1, "box_thresh": 0.1},
            },
            {**_RECEIPTS, "folds": 4, "fold": 1},
        ),
    },
    "recognition": {
        "averaged weights, accumulation, every augmentation": (
            {
                **{"height": 24, "width": 72, "neck_hidden_size": 16, "neck_layers": 2, "dropout": 0.1, "epochs": 2},
                **{"batch_size": 8, "accumulation_steps": 2, "lr": 0.01, "weight_decay": 0.05, "ema_decay": 0.8},
                **{"optimizer": "adamw", "lr_schedule": "onecycle", "early_stopping_patience": 3},
                **{"aug_prob": 0.9, "tia_prob": 0.5, "hsv_prob": 0.5, "jitter_prob": 0.5, "reverse_prob": 0.3},
                **{"randaugment_num_ops": 2},
                **_SEEN,
            },
            _PLATES,
        ),
        "plain CTC on padded crops": (
            {
                **{"height": 24, "width": 0, "max_width": 60, "neck": "none", "epochs": 3, "batch_size": 4},
                **{"lr": 0.01, "optimizer": "lamb", "lr_schedule": "linear", "min_lr": 1e-4},
            },
            {"root": "digits"},
        ),
        "a backbone of timm": (
            {
                **{"backbone": "mobilenetv3_small_100", "pretrained": False, "use_se": False, "height": 32},
                **{"width": 64, "neck_hidden_size": 16, "epochs": 1, "batch_size": 8, "gradient_clip": 0.0},
            },
            {"root": "digits", "folds": 3},
        ),
    },
}


@pytest.mark.timeout(400)
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers were recorded on x86-64, whose kernels differ")
@pytest.mark.parametrize("task", CASES)
def test_training_gives_the_recorded_numbers_to_the_last_bit(task: str, tmp_path: Path) -> None:
    recorded = json.loads(RECORDED.read_text())
    if recorded["versions"] != versions():
        pytest.skip(f"recorded with {recorded['versions']}, but installed is {versions()}; see constraints.txt")
    found = trained_apart(task, tmp_path)
    for case, epochs in recorded[task].items():
        for number, epoch in enumerate(epochs, start=1):
            assert found[case][number - 1] == epoch, f"{case}: epoch {number}"
    assert found == recorded[task]


def versions() -> dict[str, str]:
    """Returns the versions of the libraries whose kernels decide the bits."""
    return {package: metadata.version(package) for package in PACKAGES}


def trained_apart(task: str, folder: Path) -> dict[str, list[dict[str, str]]]:
    """Returns what each epoch of each case yielded, in a process of its own, whose environment libraries read."""
    command = [sys.executable, "-m", "tests.trainables.test_loss_identity", task, str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, env=_environment(folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _environment(folder: Path) -> dict[str, str]:
    from numpy._core._multiarray_umath import __cpu_dispatch__

    own = {"NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__), "NIGHTSWEEP_CACHE": str(folder / "cache")}
    return os.environ | PINNED | own | {"PYTHONPATH": str(REPOSITORY), "CUDA_VISIBLE_DEVICES": ""}


def train(task: str, folder: Path) -> dict[str, list[dict[str, str]]]:
    """Trains every case of a task, by the entry that the orchestrator takes; numbers are as `float.hex` writes them."""
    import torch

    from trainables import load_trainable

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    trainable, found = load_trainable(task), {}
    drawn = {"bars": str(write_bars(folder / "bars", 40, 10)), "digits": str(write_digits(folder))}
    for place, (case, (settings, data)) in enumerate(CASES[task].items()):
        own = data | {"root": drawn.get(data["root"], data["root"])}
        run, config = LocalRun(folder / f"{place}", own, seed=7), trainable.build_config(settings)
        epochs = [dict(metrics) for metrics in trainable.train(config, run)]
        run.checkpoint_dir = run.saved[-1]
        epochs[-1] |= trainable.test(config, run) | weights(run.checkpoint_dir)
        found[case] = [{k: float(v).hex() for k, v in sorted(e.items()) if k not in MEASURED} for e in epochs]
    return found


def weights(checkpoint: Path) -> dict[str, float]:
    """Returns two exact sums over the weights that are kept, which no name and no order changes."""
    import torch

    kept = torch.load(checkpoint / "model.pt", weights_only=True).values()
    values = [value for tensor in kept if tensor.is_floating_point() for value in tensor.double().flatten().tolist()]
    return {"weights/sum": math.fsum(values), "weights/squares": math.fsum(value * value for value in values)}


def record() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = {task: trained_apart(task, Path(folder) / task) for task in CASES}
    RECORDED.write_text(json.dumps({"versions": versions()} | found, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--record"]:
        record()
    else:
        print(json.dumps(train(sys.argv[1], Path(sys.argv[2]))))
