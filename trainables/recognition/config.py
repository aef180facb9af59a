"""Defines the settings of text recognition, as named in a study file's `space`."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.train_config import LR_SCHEDULES, TrainConfig
from trainables.trainable import setting

BACKBONES = (
    "small",
    "resnet18",
    "resnet34",
    "mobilenetv3_small_100",
    "mobilenetv3_large_100",
    "tf_efficientnet_lite0",
)
NECKS = ("bilstm", "none")
WIDTH_STRIDE = 4  # px of width for each time step of CTC, whatever the backbone
MIN_WIDTH = 8  # px


@dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    """Configures a CRNN with CTC (Shi et al. 2015). Raises ValueError for a width that no network can take."""

    epochs: int = setting(60, "epochs at most; the lr schedule spans them", low=1)
    batch_size: int = setting(16, "crops per optimizer step", low=1)
    lr: float = setting(2e-3, "peak learning rate", above=0.0)
    lr_schedule: str = setting("onecycle", "course of the learning rate after the warm-up", choices=LR_SCHEDULES)
    gradient_clip: float = setting(5.0, "largest norm of the gradient; 0: no clipping", low=0.0)

    backbone: str = setting("small", "`small`: a plain CNN for CPUs; the others are timm's", choices=BACKBONES)
    pretrained: bool = setting(False, "start from ImageNet weights (not `small`)")
    use_se: bool = setting(True, "squeeze-and-excite blocks of mobilenetv3; no other backbone has them")
    neck: str = setting("bilstm", "what reads the features left to right and back: an LSTM, or nothing", choices=NECKS)
    neck_hidden_size: int = setting(96, "units of the LSTM in each direction", low=8, high=2048)
    neck_layers: int = setting(1, "layers of the LSTM", low=1, high=4)
    dropout: float = setting(0.0, "dropout before the CTC head and between the LSTM's layers", low=0.0, below=1.0)
    fc_decay: float = setting(1e-5, "weight decay of the CTC head, in place of weight_decay", low=0.0)

    height: int = setting(32, "px that every crop is resized to", low=16, high=256)
    width: int = setting(100, "px that every crop is resized to; 0: proportions kept, batches padded", low=0, high=4096)
    max_width: int = setting(1024, "width 0: px that the widest crops are squeezed to", low=32, high=8192)

    aug_prob: float = setting(1.0, "share of crops that are augmented at all", low=0.0, high=1.0)
    tia_prob: float = setting(0.0, "share distorted, stretched and seen in perspective (TIA)", low=0.0, high=1.0)
    crop_prob: float = setting(0.0, "share of which a few rows are cut off, above or below", low=0.0, high=1.0)
    blur_prob: float = setting(0.0, "share blurred", low=0.0, high=1.0)
    hsv_prob: float = setting(0.0, "share with other hue, saturation and value", low=0.0, high=1.0)
    jitter_prob: float = setting(0.0, "share with other brightness and contrast", low=0.0, high=1.0)
    noise_prob: float = setting(0.0, "share with Gaussian noise", low=0.0, high=1.0)
    reverse_prob: float = setting(0.0, "share with reversed colours", low=0.0, high=1.0)
    rotate_prob: float = setting(0.0, "share rotated", low=0.0, high=1.0)
    rotate_degrees: float = setting(5.0, "largest rotation, in degrees", low=0.0, high=45.0)
    randaugment_num_ops: int = setting(0, "RandAugment: changes per crop; 0: off", low=0, high=8)
    randaugment_magnitude: int = setting(9, "RandAugment: strength of the changes", low=0, high=30)

    def __post_init__(self) -> None:
        if 0 < self.width < MIN_WIDTH:
            raise ValueError(f"width: must be 0 or at least {MIN_WIDTH}, but got {self.width}")
        if self.backbone == "small" and self.pretrained:
            raise ValueError("pretrained: `small` has no pretrained weights; set `pretrained: false`")


def time_steps(width: int) -> int:
    """Returns the time steps of CTC for a picture of `width` px: the longest label without repeats that fits."""
    return -(-width // WIDTH_STRIDE)
