"""Checks crnn.py: the loss against torch's, padding that means nothing, and lengths at their extremes."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import rnn

from trainables.recognition.charset import Charset
from trainables.recognition.config import Config
from trainables.recognition.crnn import CRNN, Neck, build_crnn

CHARSET = Charset(tuple("가나다123"))
SMALL = Config(neck_hidden_size=16)


def model_of(**settings: Any) -> CRNN:
    torch.manual_seed(0)
    return build_crnn(dataclasses.replace(SMALL, **settings), CHARSET)


def pictures(count: int, width: int, height: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(width)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator, dtype=torch.uint8)


def batch_of(texts: list[str], width: int = 100) -> dict[str, torch.Tensor]:
    labels = [CHARSET.encode(text) for text in texts]
    longest = max(map(len, labels))
    return {
        "image": pictures(len(texts), width),
        "target": torch.tensor([label + [0] * (longest - len(label)) for label in labels]),
        "target_length": torch.tensor([len(label) for label in labels]),
        "valid_width": torch.full((len(texts),), width),
    }


@pytest.mark.parametrize("settings", [{}, {"neck": "none"}, {"width": 0}, {"neck_layers": 2, "dropout": 0.3}])
def test_the_loss_is_torchs_of_each_crop_alone(settings: dict[str, Any]) -> None:
    model, batch = model_of(**settings).eval(), batch_of(["12가31", "나", "33"])
    logits, steps = model(batch["image"], batch["valid_width"])
    assert steps.tolist() == [25, 25, 25]
    assert logits.shape == (3, 25, CHARSET.size)
    alone = [
        functional.ctc_loss(
            logits[i].double().log_softmax(-1),
            batch["target"][i, : batch["target_length"][i]],
            steps[i],
            batch["target_length"][i],
        )
        for i in range(3)
    ]
    losses = model.loss(batch)
    assert losses["loss"].item() == pytest.approx(float(sum(alone).detach()) / 3, rel=1e-4)
    losses["loss"].backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())


@pytest.mark.parametrize("layers", [1, 3])
def test_the_neck_is_torchs_bidirectional_lstm_over_packed_rows(layers: int) -> None:
    torch.manual_seed(0)
    neck = Neck(6, 5, layers, dropout=0.0)
    reference = nn.LSTM(6, 5, layers, batch_first=True, bidirectional=True)
    for way, suffix in ((neck.ahead, ""), (neck.back, "_reverse")):
        for layer, lstm in enumerate(way):
            for name, value in lstm.named_parameters():
                reference.get_parameter(f"{name[:-1]}{layer}{suffix}").data.copy_(value)
    x, steps = torch.randn(4, 9, 6), torch.tensor([9, 4, 1, 7])
    packed = rnn.pack_padded_sequence(x, steps, batch_first=True, enforce_sorted=False)
    expected, _ = rnn.pad_packed_sequence(reference(packed)[0], batch_first=True)
    found = neck(x, steps)
    for row, end in enumerate(steps.tolist()):
        torch.testing.assert_close(found[row, :end], expected[row, :end])


def test_the_share_read_right_is_that_of_reading_the_batch() -> None:
    model = model_of().eval()
    images = pictures(4, 100)
    readings = [CHARSET.decode(indices) for indices, _ in model.read(images, torch.full((4,), 100))]
    batch = batch_of([reading or "1" for reading in readings[:3]] + ["가나다123"])
    batch["image"] = images
    right = sum(bool(reading) for reading in readings[:3])
    assert float(model.loss(batch)["acc"]) == right / 4


def test_under_autocast_the_loss_is_still_made_of_32_bits() -> None:
    model, batch = model_of().eval(), batch_of(["12가31", "나"])
    expected = model.loss(batch)["loss"]
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.loss(batch)["loss"]
    assert loss.dtype is torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=0.05)


def test_time_steps_of_padding_do_not_count() -> None:
    model = model_of(width=0).eval()
    narrow = pictures(1, 60)
    wide = torch.full((1, 3, 32, 200), 255, dtype=torch.uint8)
    wide[..., :60] = narrow
    black = torch.zeros_like(wide)
    black[..., :60] = narrow
    valid = torch.tensor([60])
    with torch.no_grad():
        alone, steps = model(narrow, valid)
        padded, padded_steps = model(wide, valid)
        assert int(steps) == int(padded_steps) == 15
        torch.testing.assert_close(model(black, valid)[0], padded)  # The padding may hold anything.
    inner = slice(0, 10)  # Beyond, convolutions see where the picture ends.
    assert (alone[:, inner] - padded[:, inner]).abs().max() < 0.1 * alone.std()
    model.neck = None
    model.head = torch.nn.Linear(model.encoder.channels, CHARSET.size)
    with torch.no_grad():
        torch.testing.assert_close(model(narrow, valid)[0][:, inner], model(wide, valid)[0][:, inner])


def test_one_character_and_two_hundred_are_learnt_side_by_side() -> None:
    long = "12" * 100
    model, batch = model_of(width=0), batch_of([long, "가"], width=1000)
    batch["valid_width"] = torch.tensor([1000, 9])
    losses = model.loss(batch)
    assert math.isfinite(losses["loss"].item())
    losses["loss"].backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters())
    (many, _), (few, _) = model.eval().read(batch["image"], batch["valid_width"])
    assert len(many) <= 250 and len(few) <= 3


def test_a_label_that_does_not_fit_makes_the_loss_infinite_instead_of_silent() -> None:
    model = model_of(width=32)
    assert math.isinf(model.loss(batch_of(["1" * 5], width=32))["loss"].item())  # 5 characters, 4 blanks, 8 steps


def test_the_head_has_a_weight_decay_of_its_own() -> None:
    model = model_of(fc_decay=0.25)
    assert model.own_weight_decay == {"head.weight": 0.25}
    assert model.get_parameter("head.weight") is model.head.weight


def test_pictures_are_normalised_inside() -> None:
    model = model_of(backbone="mobilenetv3_small_100").eval()
    seen: list[torch.Tensor] = []
    model.encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(torch.full((1, 3, 32, 64), 255, dtype=torch.uint8), torch.tensor([64]))
    expected = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(seen[0][0, :, 0, 0], expected)


def test_a_few_steps_learn_a_batch_by_heart() -> None:
    model, batch = model_of(), batch_of(["12가31", "나1", "331", "다나가"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(120):
        losses = model.loss(batch)
        losses["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert float(losses["acc"]) == 1.0
    with torch.no_grad():
        readings = model.read(batch["image"], batch["valid_width"])  # in training mode: the batch's own statistics
    assert [CHARSET.decode(indices) for indices, _ in readings] == ["12가31", "나1", "331", "다나가"]
