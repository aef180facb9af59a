"""Runs PaddleOCR's own trainer, tools/train.py, as a process that stands still except while it is timed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.window import Window

# Our name of a backbone -> PaddleOCR's section. All leave one row and a quarter of the width of 32 x 100 px.
BACKBONES: Mapping[str, Mapping[str, Any]] = {
    "mobilenetv3_small_100": {
        "name": "MobileNetV3", "model_name": "small", "scale": 1.0, "small_stride": [1, 2, 2, 2],
    },
    "mobilenetv3_large_100": {"name": "MobileNetV3", "model_name": "large", "scale": 1.0},
    "resnet18": {"name": "ResNet", "layers": 18},
    "resnet34": {"name": "ResNet", "layers": 34},
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """Holds what both trainers are given, apart from the crops. augmentation: our settings, {} for none."""

    backbone: str
    batch_size: int
    hidden_size: int  # of the LSTM, in each direction, in each of two layers
    height: int
    width: int
    lr: float
    augmentation: Mapping[str, Any]


# PaddleOCR's augmentation knows these settings of ours by the same name.
REC_AUG = ("tia_prob", "crop_prob", "reverse_prob", "noise_prob", "jitter_prob", "blur_prob")


def write_labels(folder: Path, crops: Sequence[tuple[Path, str]], characters: Sequence[str]) -> None:
    """Writes the lists that PaddleOCR reads: train.txt, characters.txt."""
    (folder / "train.txt").write_text("".join(f"{path}\t{text}\n" for path, text in crops), encoding="utf-8")
    (folder / "characters.txt").write_text("".join(f"{character}\n" for character in characters), encoding="utf-8")


def trainer_config(recipe: Recipe, folder: Path, out: Path, workers: int, steps: int, longest: int) -> dict[str, Any]:
    """Returns PaddleOCR's rec_mv3_none_bilstm_ctc.yml with another backbone and the files of `folder`.

    It says a line every `steps` steps. longest: characters of the longest text.
    """
    augmentation: list[dict[str, Any]] = []
    if recipe.augmentation:
        shares = {name: recipe.augmentation.get(name, 0.0) for name in REC_AUG}
        augmentation = [{"RecAug": shares | {"hsv_aug_prob": recipe.augmentation.get("hsv_prob", 0.0)}}]
    transforms = [
        {"DecodeImage": {"img_mode": "BGR", "channel_first": False}},
        *augmentation,
        {"CTCLabelEncode": None},
        {"RecResizeImg": {"image_shape": [3, recipe.height, recipe.width]}},
        {"KeepKeys": {"keep_keys": ["image", "label", "length"]}},
    ]
    dataset = {"name": "SimpleDataSet", "data_dir": "/", "transforms": transforms}
    files = {"label_file_list": [str(folder / "train.txt")]}
    # The list many times over: between epochs it would save checkpoints, which is not to be timed.
    often = {"label_file_list": [str(folder / "train.txt")] * 100}
    loader = {"batch_size_per_card": recipe.batch_size, "num_workers": workers}
    return {
        "Global": {
            "use_gpu": False,
            "epoch_num": 1,
            "log_smooth_window": 20,
            "print_batch_step": steps,
            "save_model_dir": str(out),
            "save_epoch_step": 1000,
            "eval_batch_step": [0, 10**9],
            "cal_metric_during_train": True,
            "pretrained_model": None,
            "checkpoints": None,
            "save_inference_dir": None,
            "use_visualdl": False,
            "character_dict_path": str(folder / "characters.txt"),
            "max_text_length": longest,
            "infer_mode": False,
            "use_space_char": False,
        },
        "Optimizer": {
            "name": "Adam",
            "beta1": 0.9,
            "beta2": 0.999,
            "lr": {"learning_rate": recipe.lr},
            "regularizer": {"name": "L2", "factor": 0},
        },
        "Architecture": {
            "model_type": "rec",
            "algorithm": "CRNN",
            "Transform": None,
            "Backbone": dict(BACKBONES[recipe.backbone]),
            "Neck": {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": recipe.hidden_size},
            "Head": {"name": "CTCHead", "fc_decay": 0},
        },
        "Loss": {"name": "CTCLoss"},
        "PostProcess": {"name": "CTCLabelDecode"},
        "Metric": {"name": "RecMetric", "main_indicator": "acc"},
        "Train": {"dataset": dataset | often, "loader": loader | {"shuffle": True, "drop_last": True}},
        "Eval": {"dataset": dataset | files, "loader": loader | {"shuffle": False, "drop_last": False}},
    }


class PaddleTrainer:
    """Runs the trainer's process: started at once, stopped, and let go on from one line it says to the next."""

    def __init__(self, paddleocr: Path, python: Path, config: Mapping[str, Any], file: Path) -> None:
        file.write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")
        self._crops = config["Train"]["loader"]["batch_size_per_card"] * config["Global"]["print_batch_step"]
        self._said: deque[str] = deque(maxlen=20)
        self._process = subprocess.Popen(
            [str(python), "tools/train.py", "-c", str(file)],
            cwd=paddleocr,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # its loader's processes stop and end with it
        )
        try:
            self._until_next_line()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def measure(self) -> Window:
        """Times one stretch, from the line last said to the next."""
        wall, cpu = time.perf_counter(), self._cpu_seconds()
        os.killpg(self._process.pid, signal.SIGCONT)
        self._until_next_line()
        return Window(self._crops, time.perf_counter() - wall, self._cpu_seconds() - cpu)

    def close(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _until_next_line(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(line.rstrip())
            if " ips: " in line:
                os.killpg(self._process.pid, signal.SIGSTOP)
                return
        raise RuntimeError("PaddleOCR's trainer must go on, but it ended; it said last:\n" + "\n".join(self._said))

    def _cpu_seconds(self) -> float:
        process = psutil.Process(self._process.pid)
        times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
        return float(sum(time.user + time.system for time in times))
