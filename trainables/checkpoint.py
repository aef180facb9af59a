"""Writes and reads the two files of a checkpoint, and makes a trained model of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from trainables.tensor_file import load_tensors
from trainables.train_config import TrainConfig
from trainables.trainable import Run

MODEL_FILE = "model.pt"  # holds the weights to predict with, a plain state dict
TRAINING_FILE = "training.pt"  # holds all else that training needs to go on as if it had not been interrupted

Model = TypeVar("Model", bound=nn.Module)


def write(content: Any, file: Path) -> None:
    """Writes with torch.save, through a file of Python's.

    On a full disk torch's own file raises `unexpected pos 576 vs 534`; Python's raises OSError with errno ENOSPC.
    """
    with file.open("wb") as stream:
        torch.save(content, stream)


def load_weights(directory: Path) -> dict[str, Tensor]:
    """Returns the state dict of a checkpoint, on the CPU; nothing but tensors is ever unpickled."""
    weights: dict[str, Tensor] = load_tensors(directory / MODEL_FILE)
    return weights


def checkpoint_epoch(directory: Path) -> int:
    """Returns the epoch after which a checkpoint was saved."""
    training = load_tensors(directory / TRAINING_FILE, mmap=True)
    return int(training["epoch"])


def checkpoint_of(run: Run) -> Path:
    """Returns the checkpoint to predict with. Raises ValueError where the run has none."""
    if run.checkpoint_dir is None:
        raise ValueError("a checkpoint is needed to predict with, but there is none; train the config first")
    return run.checkpoint_dir


def make_trained(model: Model, weights: dict[str, Tensor], config: TrainConfig, device: str) -> Model:
    """Returns the model with these weights, on the device, in the memory layout of the config, ready to predict."""
    model.load_state_dict(weights)
    if config.channels_last:
        model = model.to(memory_format=torch.channels_last)
    return model.to(device).eval()
