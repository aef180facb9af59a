"""CRNN: convolutions look, an LSTM reads both ways, CTC aligns (Shi et al. 2015). The model owns loss and decoding."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from trainables.recognition.charset import BLANK, Charset
from trainables.recognition.config import WIDTH_STRIDE, Config, time_steps
from trainables.recognition.ctc import Reading, count_exact, decode_greedy
from trainables.recognition.encoders import Encoder, build_encoder


class Neck(nn.Module):
    """A bidirectional LSTM over the time steps."""

    def __init__(self, channels: int, hidden_size: int, layers: int, dropout: float) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(channels, hidden_size, layers, batch_first=True, dropout=between, bidirectional=True)
        self.channels = 2 * hidden_size

    def forward(self, x: Tensor, steps: Tensor | None) -> Tensor:
        """B x T x C -> B x T x channels; of each row only the first `steps` are read, both ways. None: all are."""
        if steps is None:
            read: Tensor = self.lstm(x)[0]
            return read
        packed = pack_padded_sequence(x, steps.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])[0]


class CRNN(nn.Module):
    """The recogniser; it normalises its pictures itself.

    characters: code points of the charset, kept with the weights: a checkpoint alone says what it reads.
    own_weight_decay: names of parameters -> their weight decay (see trainables.optim).
    """

    def __init__(self, encoder: Encoder, charset: Charset, config: Config) -> None:
        super().__init__()
        self.encoder = encoder
        channels = encoder.channels
        self.neck: Neck | None = None
        if config.neck == "bilstm":
            self.neck = Neck(channels, config.neck_hidden_size, config.neck_layers, config.dropout)
            channels = self.neck.channels
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(channels, charset.size)
        self.own_weight_decay = {"head.weight": config.fc_decay}
        self.padded = config.width == 0
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", 255 * torch.tensor(encoder.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(encoder.std).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("characters", torch.tensor([ord(c) for c in charset.characters], dtype=torch.int32))

    def forward(self, images: Tensor, valid_width: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 RGB, B x 3 x H x W, of which `valid_width` px are picture -> logits B x T x C, time steps B.

        Steps beyond a row's own are padding and mean nothing. A picture's reading hardly depends on how far it was
        padded: padding is as nothing to the first convolution and is not read by the LSTM.
        """
        x = (images.float() - self.mean) / self.std
        steps = torch.div(valid_width + WIDTH_STRIDE - 1, WIDTH_STRIDE, rounding_mode="floor")
        if self.padded:
            inside = torch.arange(images.shape[-1], device=images.device) < valid_width[:, None]
            x = x * inside[:, None, None]
        features = self.encoder(x).transpose(1, 2)  # B x C x T -> B x T x C
        if self.neck is not None:
            features = self.neck(features, steps if self.padded else None)
        return self.head(self.dropout(features)), steps

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`loss` (CTC, per character) and `acc`, the share of the batch read without an error while it is learned.

        An infinite loss stays infinite: a label that does not fit its time steps is a broken label.
        """
        logits, steps = self(batch["image"], batch["valid_width"])
        target, target_length = batch["target"], batch["target_length"]
        with torch.autocast(logits.device.type, enabled=False):
            log_probs = functional.log_softmax(logits.float(), dim=-1)
            loss = functional.ctc_loss(log_probs.transpose(0, 1), target, steps, target_length, blank=BLANK)
        exact = count_exact(log_probs.detach(), steps, target, target_length)
        return {"loss": loss, "acc": exact / len(target)}

    @torch.inference_mode()
    def read(self, images: Tensor, valid_width: Tensor) -> list[Reading]:
        """The text of each picture as indices of the charset, and its confidence (see ctc.decode_greedy)."""
        logits, steps = self(images, valid_width)
        return decode_greedy(functional.log_softmax(logits.float(), dim=-1), steps)

    def time_steps(self, width: int) -> int:
        """Time steps that a picture of `width` px gets."""
        return time_steps(width)


def build_crnn(config: Config, charset: Charset, *, pretrained: bool | None = None) -> CRNN:
    """The recogniser of a config; `pretrained=False` where its weights are loaded anyway."""
    wanted = config.pretrained if pretrained is None else pretrained
    return CRNN(build_encoder(config.backbone, pretrained=wanted, use_se=config.use_se), charset, config)
