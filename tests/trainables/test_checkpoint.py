"""Checks that a trained model is made of the weights alone, ready to predict."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from trainables import LocalRun
from trainables.checkpoint import MODEL_FILE, checkpoint_of, load_weights, make_trained, write
from trainables.train_config import TrainConfig


@pytest.mark.parametrize("channels_last", [True, False])
def test_a_trained_model_has_the_saved_weights_in_the_layout_of_the_config(tmp_path: Path, channels_last: bool) -> None:
    saved, fresh = (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)) for _ in range(2))
    write(saved.state_dict(), tmp_path / MODEL_FILE)
    checkpoint = checkpoint_of(LocalRun(tmp_path, checkpoint_dir=tmp_path))
    model = make_trained(fresh, load_weights(checkpoint), TrainConfig(channels_last=channels_last), "cpu")
    assert torch.equal(model[0].weight, saved[0].weight) and not model.training
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last) == channels_last


def test_without_a_checkpoint_there_is_nothing_to_predict_with(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a checkpoint is needed to predict with, but there is none; train"):
        checkpoint_of(LocalRun(tmp_path))
