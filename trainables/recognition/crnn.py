"""Builds the CRNN: convolutions, an LSTM that reads both ways, CTC (Shi et al. 2015). It owns loss and decoding."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.backbone import Normalisation
from trainables.recognition.charset import BLANK, Charset
from trainables.recognition.config import WIDTH_STRIDE, Config, time_steps
from trainables.recognition.ctc import Decoding, count_exact, decode_greedy
from trainables.recognition.encoders import Encoder, build_encoder


class Neck(nn.Module):
    """Reads the time steps of each row by a bidirectional LSTM, within the row's own steps.

    The LSTM that reads backwards receives each row reversed within its own steps. A packed sequence gives nn.LSTM the
    same, but takes twice the time on a CPU, and on a GPU would have to wait for the numbers of steps.
    """

    def __init__(self, channels: int, hidden_size: int, layers: int, dropout: float) -> None:
        super().__init__()
        sizes = [channels] + [2 * hidden_size] * (layers - 1)
        self.ahead = nn.ModuleList(nn.LSTM(size, hidden_size, batch_first=True) for size in sizes)
        self.back = nn.ModuleList(nn.LSTM(size, hidden_size, batch_first=True) for size in sizes)
        self.dropout = nn.Dropout(dropout)
        self.channels = 2 * hidden_size

    def forward(self, x: Tensor, steps: Tensor) -> Tensor:
        """Reads the first `steps` (B) of each row of B x T x C; returns B x T x channels."""
        place = torch.arange(x.shape[1], device=x.device)
        turned = torch.where(place < steps[:, None], steps[:, None] - 1 - place, place)  # B x T
        for layer, (ahead, back) in enumerate(zip(self.ahead, self.back, strict=True)):
            if layer:
                x = self.dropout(x)
            x = torch.cat([ahead(x)[0], turn(back(turn(x, turned))[0], turned)], dim=-1)
        return x


def turn(x: Tensor, places: Tensor) -> Tensor:
    """Returns B x T x C with the time steps of each row taken from other places (B x T)."""
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[-1]))


class CRNN(nn.Module):
    """Recognises text; it normalises its pictures itself.

    characters: code points of the charset, kept with the weights, so that a checkpoint alone says what it reads.
    own_weight_decay: the weight decay of parameters, by name (see trainables.optim).
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
        self.normalise = Normalisation(encoder.mean, encoder.std)
        self.register_buffer("characters", torch.tensor([ord(c) for c in charset.characters], dtype=torch.int32))

    def forward(self, images: Tensor, valid_width: Tensor) -> tuple[Tensor, Tensor]:
        """Takes uint8 RGB, B x 3 x H x W, of which `valid_width` px are picture; returns logits B x T x C, steps B.

        Steps beyond a row's own are padding and mean nothing. How far a picture is padded hardly changes how it is
        read: the first convolution sees zeros there, and the LSTM does not read it.
        """
        x = self.normalise(images)
        steps = torch.div(valid_width + WIDTH_STRIDE - 1, WIDTH_STRIDE, rounding_mode="floor")
        if self.padded:
            inside = torch.arange(images.shape[-1], device=images.device) < valid_width[:, None]
            x = x * inside[:, None, None]
        features = self.encoder(x).transpose(1, 2)  # B x C x T -> B x T x C
        if self.neck is not None:
            features = self.neck(features, steps)
        return self.head(self.dropout(features)), steps

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns `loss` (CTC, per character) and `acc`, the share of the batch read without an error in this step.

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
    def read(self, images: Tensor, valid_width: Tensor) -> list[Decoding]:
        """Returns the characters of each picture, and how sure they are (see ctc.decode_greedy)."""
        logits, steps = self(images, valid_width)
        return decode_greedy(functional.log_softmax(logits.float(), dim=-1), steps)

    def time_steps(self, width: int) -> int:
        """Returns the time steps that a picture of `width` px gets."""
        return time_steps(width)


def build_crnn(config: Config, charset: Charset, *, pretrained: bool | None = None) -> CRNN:
    """Builds the recogniser of a config; `pretrained=False` where its weights are loaded anyway."""
    wanted = config.pretrained if pretrained is None else pretrained
    return CRNN(build_encoder(config.backbone, pretrained=wanted, use_se=config.use_se), charset, config)
