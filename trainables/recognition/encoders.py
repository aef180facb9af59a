"""Builds networks that look at a line of text: they reduce the height to one row, the width only by four."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from trainables.backbone import build_backbone, convolution

HALF = (0.5, 0.5, 0.5)


class Encoder(nn.Module):
    """Computes the features of a picture of text, one vector for each time step.

    channels: length of a vector. mean, std: of the pictures that the network expects, in 0..1, one for each channel.
    """

    def __init__(
        self, net: nn.Module, channels: int, mean: Sequence[float] = HALF, std: Sequence[float] = HALF
    ) -> None:
        super().__init__()
        self.net = net
        self.channels = channels
        self.mean, self.std = tuple(mean), tuple(std)

    def forward(self, images: Tensor) -> Tensor:
        """Takes B x 3 x H x W, normalised; returns B x channels x ceil(W / 4), the mean of the rows that are left."""
        features = self.net(images)
        if isinstance(features, list):  # A Backbone gives one map for each stride.
            [features] = features
        averaged: Tensor = features.mean(dim=2)
        return averaged


class SmallNet(nn.Sequential):
    """Has six 3 x 3 convolutions and 0.2 million weights.

    It learns a thousand plates from scratch in minutes on one core.
    """

    widths = (16, 32, 64, 96, 128)

    def __init__(self) -> None:
        a, b, c, d, e = self.widths
        super().__init__(
            convolution(3, a, stride=2),  # H/2 x W/2
            convolution(a, b),
            nn.MaxPool2d(2, ceil_mode=True),  # H/4 x W/4
            convolution(b, c),
            nn.MaxPool2d((2, 1), ceil_mode=True),  # H/8 x W/4
            convolution(c, d),
            nn.MaxPool2d((2, 1), ceil_mode=True),  # H/16 x W/4
            convolution(d, e),
        )


def build_encoder(name: str, *, pretrained: bool, use_se: bool = True) -> Encoder:
    """Builds `small` or a timm model; without use_se, squeeze-and-excite blocks are taken out of it.

    Raises NoWeights where `pretrained` weights cannot be had (see trainables.backbone).
    """
    if name == "small":
        return Encoder(SmallNet(), SmallNet.widths[-1])
    backbone = build_backbone(name, pretrained=pretrained, strides=(32,))
    keep_width(backbone)
    if not use_se:
        remove_squeeze_excite(backbone)
    return Encoder(backbone, backbone.channels[0], backbone.mean, backbone.std)


def keep_width(net: nn.Module) -> None:
    """Halves, from the third halving on, the height alone, as PaddleOCR and docTR do: strides 32 down, 4 across."""
    halving: list[Any] = [
        module
        for module in net.modules()
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d)) and module.stride in (2, (2, 2))
    ]
    for module in halving[2:]:
        module.stride = (2, 1)


def remove_squeeze_excite(net: nn.Module) -> None:
    """Removes each squeeze-and-excite block (Hu et al. 2018), which timm calls `se`."""
    for block in net.modules():
        if isinstance(getattr(block, "se", None), nn.Module):
            block.se = nn.Identity()
