"""Defines the settings of text detection, as named in a study file's `space`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trainables.train_config import TrainConfig
from trainables.trainable import setting

STRIDE = 32  # px between two places of the deepest feature map; resolutions are multiples of it


@dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    """Configures DBNet (Liao et al. 2020) over a timm backbone. Raises ValueError for impossible resolutions."""

    backbone: str = setting("tf_efficientnet_lite0", "`tiny`, or any timm model with features at strides 4 to 32")
    pretrained: bool = setting(True, "start from ImageNet weights")
    drop_path_rate: float = setting(0.0, "stochastic depth of backbones that have it", low=0.0, below=1.0)
    decoder_channels: int = setting(64, "width of the feature pyramid, a multiple of 4", low=4)
    resolution: int | dict[int, int] = setting(640, "side in pixels of a page's square, or {epoch: side}")  # noqa: RUF009

    shrink_ratio: float = setting(0.4, "how far labels are shrunk to keep lines apart", above=0.0, below=1.0)
    bce_weight: float = setting(5.0, "weight of the probability map's loss", low=0.0)
    l1_weight: float = setting(10.0, "weight of the threshold map's loss", low=0.0)
    dice_weight: float = setting(1.0, "weight of the binary map's loss", low=0.0)
    negative_ratio: float = setting(3.0, "background pixels per text pixel in the probability map's loss", above=0.0)

    thresh: float = setting(0.3, "probability above which a pixel is text", above=0.0, below=1.0)
    box_thresh: float = setting(0.5, "mean probability below which a region is dropped", low=0.0, below=1.0)
    max_candidates: int = setting(1000, "regions looked at per page, the largest first", low=1)
    unclip_ratio: float = setting(1.5, "how far regions are grown back: area * ratio / perimeter", above=0.0)

    rotate_prob: float = setting(0.0, "share of pages rotated", low=0.0, high=1.0)
    rotate_degrees: float = setting(15.0, "largest rotation, in degrees", low=0.0, high=180.0)
    hflip_prob: float = setting(0.0, "share of pages mirrored left to right", low=0.0, high=1.0)
    vflip_prob: float = setting(0.0, "share of pages mirrored top to bottom", low=0.0, high=1.0)
    color_jitter_prob: float = setting(0.0, "share of pages with other brightness and colour", low=0.0, high=1.0)
    blur_prob: float = setting(0.0, "share of pages blurred", low=0.0, high=1.0)
    crop_prob: float = setting(0.0, "share of pages of which a part is taken", low=0.0, high=1.0)
    noise_prob: float = setting(0.0, "share of pages with noise", low=0.0, high=1.0)

    def __post_init__(self) -> None:
        stages = self.resolution if isinstance(self.resolution, Mapping) else {1: self.resolution}
        sides = {int(epoch): side for epoch, side in stages.items()}  # In JSON, keys are texts.
        if 1 not in sides or min(sides) < 1:
            raise ValueError(f"resolution: its first epoch must be 1, but got {dict(stages)}; add `1: 640`")
        for side in sides.values():
            if not isinstance(side, int) or side < STRIDE or side % STRIDE:
                near = nearest_side(side)
                raise ValueError(f"resolution: must be a multiple of {STRIDE}, but got {side!r}; the next is {near}")
        if self.decoder_channels % 4:
            raise ValueError(f"decoder_channels: must be a multiple of 4, but got {self.decoder_channels}")

    def resolution_at(self, epoch: int) -> int:
        """Returns the side, in pixels, of the square that pages are fitted into in this epoch (from 1)."""
        if not isinstance(self.resolution, Mapping):
            return self.resolution
        sides = {int(start): side for start, side in self.resolution.items()}
        return sides[max(start for start in sides if start <= epoch)]


def nearest_side(side: float) -> int:
    """Returns the multiple of STRIDE closest to `side`, at least STRIDE."""
    return max(STRIDE, round(side / STRIDE) * STRIDE)
