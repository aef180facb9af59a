"""Builds DBNet: features at four strides, merged to one map, binarised by a learnt threshold (Liao et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.backbone import Backbone, Normalisation, build_backbone
from trainables.detection.config import Config
from trainables.detection.losses import balanced_bce, dice_loss, masked_l1

STEEPNESS = 50.0  # k of the differentiable binarisation
MIN_INNER = 16  # channels of a head; of four, too many fall silent in the first steps and never learn


@dataclass(frozen=True)
class Maps:
    """Holds what the network says of each pixel, before the sigmoid: both B x 1 x H x W."""

    probability: Tensor
    threshold: Tensor


@dataclass(frozen=True)
class LossWeights:
    """Weighs the terms of the loss. negative_ratio: see losses.balanced_bce."""

    bce: float
    l1: float
    dice: float
    negative_ratio: float


class Pyramid(nn.Module):
    """Merges four levels of features to one map of `channels` at the finest stride (Lin et al. 2017)."""

    def __init__(self, channels_in: Sequence[int], channels: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(_normalised(nn.Conv2d(c, channels, 1, bias=False)) for c in channels_in)
        share = channels // len(channels_in)
        smooth = (nn.Conv2d(channels, share, 3, padding=1, bias=False) for _ in channels_in)
        self.smooth = nn.ModuleList(_normalised(conv) for conv in smooth)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Takes features, finest first: B x C_i x H/4 x W/4, ...; returns B x channels x H/4 x W/4."""
        levels = [lateral(feature) for lateral, feature in zip(self.lateral, features, strict=True)]
        for fine in range(len(levels) - 2, -1, -1):
            levels[fine] = levels[fine] + _resize_like(levels[fine + 1], levels[fine])
        smooth = [conv(level) for conv, level in zip(self.smooth, levels, strict=True)]
        return torch.cat([_resize_like(level, smooth[0]) for level in smooth], dim=1)


class Head(nn.Sequential):
    """Computes one number for each pixel: B x C x H/4 x W/4 -> B x 1 x H x W."""

    def __init__(self, channels: int) -> None:
        inner = max(channels // 4, MIN_INNER)
        super().__init__(
            *_normalised(nn.Conv2d(channels, inner, 3, padding=1, bias=False)),
            *_normalised(nn.ConvTranspose2d(inner, inner, 2, stride=2, bias=False)),
            nn.ConvTranspose2d(inner, 1, 2, stride=2),
        )


class DBNet(nn.Module):
    """Detects text; it normalises its images itself and owns its loss."""

    def __init__(self, backbone: Backbone, channels: int, weights: LossWeights) -> None:
        super().__init__()
        self.backbone = backbone
        self.pyramid = Pyramid(backbone.channels, channels)
        self.probability = Head(channels)
        self.threshold = Head(channels)
        self.weights = weights
        for module in (self.pyramid, self.probability, self.threshold):
            module.apply(_initialise)
        self.normalise = Normalisation(backbone.mean, backbone.std)

    def forward(self, images: Tensor) -> Maps:
        """Takes uint8 RGB, B x 3 x H x W with H and W multiples of 32."""
        merged = self._merge(images)
        return Maps(self.probability(merged), self.threshold(merged))

    @torch.inference_mode()
    def detect(self, images: Tensor) -> Tensor:
        """Returns the probability that a pixel is shrunk text: uint8 B x 3 x H x W -> float32 B x H x W."""
        return self.probability(self._merge(images)).squeeze(1).float().sigmoid()

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns `loss`, to be minimised, and its unweighted terms, of a batch of PageDataset."""
        maps = self(batch["image"])
        weights = self.weights
        with torch.autocast(batch["image"].device.type, enabled=False):
            logits, threshold = maps.probability.float(), maps.threshold.float().sigmoid()
            bce = l1 = dice = logits.new_zeros(())
            if weights.bce:
                bce = balanced_bce(logits, batch["shrink_map"], batch["shrink_mask"], weights.negative_ratio)
            if weights.l1:
                l1 = masked_l1(threshold, batch["threshold_map"], batch["threshold_mask"])
            if weights.dice:
                binary = torch.sigmoid(STEEPNESS * (logits.sigmoid() - threshold))
                dice = dice_loss(binary, batch["shrink_map"], batch["shrink_mask"])
            total = weights.bce * bce + weights.l1 * l1 + weights.dice * dice
        return {"loss": total, "bce": bce, "l1": l1, "dice": dice}

    def _merge(self, images: Tensor) -> Tensor:
        """Returns the map that both heads read, B x channels x H/4 x W/4."""
        return self.pyramid(self.backbone(self.normalise(images)))


def build_dbnet(config: Config, *, pretrained: bool | None = None) -> DBNet:
    """Builds the detector of a config; `pretrained=False` where its weights are loaded anyway."""
    wanted = config.pretrained if pretrained is None else pretrained
    backbone = build_backbone(config.backbone, pretrained=wanted, drop_path_rate=config.drop_path_rate)
    weights = LossWeights(config.bce_weight, config.l1_weight, config.dice_weight, config.negative_ratio)
    return DBNet(backbone, config.decoder_channels, weights)


def _resize_like(x: Tensor, target: Tensor) -> Tensor:
    """Enlarges x to the height and width of `target`, by repeating pixels."""
    return x if x.shape[-2:] == target.shape[-2:] else functional.interpolate(x, size=target.shape[-2:], mode="nearest")


def _normalised(conv: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    """Puts batch normalisation and ReLU behind a convolution."""
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU(inplace=True))


def _initialise(module: nn.Module) -> None:
    """Draws the weights of a convolution after He et al. 2015; other modules keep theirs."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    elif isinstance(module, nn.ConvTranspose2d):
        # The four pixels made of one start equal (Aitken et al. 2017): otherwise a checkerboard has to be unlearnt.
        weight = torch.empty(module.in_channels, module.out_channels, 1, 1)
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
        with torch.no_grad():
            module.weight.copy_(weight.expand_as(module.weight))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
