"""Checks that encoders.py gives one row of features, a step for four pixels of width, with timm's weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch

from trainables.backbone import WEIGHTS_VARIABLE, NoWeights
from trainables.recognition.config import BACKBONES, time_steps
from trainables.recognition.encoders import build_encoder


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_gives_a_step_for_four_pixels_of_width(name: str) -> None:
    encoder = build_encoder(name, pretrained=False).eval()
    with torch.no_grad():
        for height, width in ((32, 100), (48, 101), (40, 7), (32, 203)):
            features = encoder(torch.zeros(2, 3, height, width))
            assert features.shape == (2, encoder.channels, time_steps(width))


@pytest.mark.parametrize("name", BACKBONES[1:])
def test_only_the_width_differs_from_what_timm_makes(name: str) -> None:
    encoder = build_encoder(name, pretrained=False).eval()
    whole = timm.create_model(name, features_only=True).eval()
    whole.load_state_dict(encoder.net.net.state_dict())
    with torch.no_grad():
        [ours], theirs = encoder.net(torch.rand(1, 3, 96, 64)), whole(torch.rand(1, 3, 96, 64))[-1]
    assert ours.shape == (*theirs.shape[:3], 16)


@pytest.mark.parametrize("name", ["mobilenetv3_small_100", "mobilenetv3_large_100"])
def test_squeeze_and_excite_can_be_left_out(name: str) -> None:
    with_it, without = (build_encoder(name, pretrained=False, use_se=use_se) for use_se in (True, False))
    assert any(".se." in key for key in with_it.state_dict())
    assert set(without.state_dict()) == {key for key in with_it.state_dict() if ".se." not in key}


@pytest.mark.parametrize(("name", "use_se"), [("resnet18", True), ("mobilenetv3_small_100", False)])
def test_weights_are_read_from_the_folder_that_a_user_names(
    name: str, use_se: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    expected = timm.create_model(name, pretrained=False).state_dict()
    torch.save(expected, tmp_path / f"{name}.pth")
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    weights = build_encoder(name, pretrained=True, use_se=use_se).net.net.state_dict()
    assert len(weights) > 50
    assert all(torch.equal(value, expected[key]) for key, value in weights.items())


def test_without_weights_the_error_says_where_to_put_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(NoWeights, match=r"put timm's resnet34.safetensors"):
        build_encoder("resnet34", pretrained=True)


def test_the_small_one_is_small_and_all_of_it_learns() -> None:
    encoder = build_encoder("small", pretrained=False)
    assert sum(p.numel() for p in encoder.parameters()) < 250_000
    encoder(torch.rand(2, 3, 32, 100)).square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in encoder.parameters())
