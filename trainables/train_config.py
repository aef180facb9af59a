"""Defines the settings that every built-in trainable shares. No torch here: study files are checked by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trainables.metric import Metric
from trainables.trainable import setting

OPTIMIZERS = ("adamw", "adam", "nadamw", "radam", "lamb", "lion", "sgd", "rmsprop")
LR_SCHEDULES = ("cosine", "onecycle", "linear", "poly", "step", "constant")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")

# What engine.py reports whatever the task.
ENGINE_METRICS: Mapping[str, Metric] = {
    "train/loss": Metric("min"),
    "lr": Metric(),
    "images_per_second": Metric("max"),
    "peak_memory_gb": Metric("min"),
}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Says how to train, whatever the task; engine.py and optim.py read these fields."""

    epochs: int = setting(20, "epochs at most; the lr schedule spans them", low=1)
    batch_size: int = setting(8, "images per optimizer step", low=1)
    accumulation_steps: int = setting(1, "pieces a batch is cut into to fit into memory", low=1)
    optimizer: str = setting("adamw", "of timm; adam, radam, rmsprop, sgd decay by L2", choices=OPTIMIZERS)
    lr: float = setting(1e-3, "peak learning rate", above=0.0)
    min_lr: float = setting(0.0, "learning rate at the end of a decaying lr_schedule", low=0.0)
    weight_decay: float = setting(1e-4, "weight decay of matrices and kernels; norms and biases have none", low=0.0)
    momentum: float = setting(0.9, "momentum of sgd and rmsprop, beta1 of the others", low=0.0, below=1.0)
    lr_schedule: str = setting("cosine", "course of the learning rate after the warm-up", choices=LR_SCHEDULES)
    warmup_epochs: float = setting(0.0, "epochs of linear warm-up; of onecycle's rise (0: 30 %)", low=0.0)
    step_epochs: float = setting(5.0, "lr_schedule step: epochs between two drops", above=0.0)
    step_factor: float = setting(0.1, "lr_schedule step: what each drop multiplies lr by", above=0.0, high=1.0)
    gradient_clip: float = setting(1.0, "largest norm of the gradient; 0: no clipping", low=0.0)
    precision: str = setting("auto", "auto: bf16 on a GPU that has it, else fp16; fp32 on a CPU", choices=PRECISIONS)
    ema_decay: float = setting(0.0, "decay of the averaged weights that are scored; 0: off", low=0.0, below=1.0)
    early_stopping_patience: int = setting(0, "epochs without a better score after which to end; 0: never", low=0)
    channels_last: bool = setting(True, "memory layout of convolutions; faster on CPUs and with mixed precision")
    workers: int = setting(-1, "processes that load images; -1: one per CPU beside a GPU, else none", low=-1)
