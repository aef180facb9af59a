"""Checks the shapes of dbnet.py, the differentiable step, and what the loss is made of."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from trainables.detection.config import Config
from trainables.detection.dbnet import Head, build_dbnet
from trainables.detection.losses import balanced_bce, dice_loss, masked_l1

TINY = Config(backbone="tiny", pretrained=False, resolution=64, decoder_channels=16)


def batch(size: int = 64, count: int = 2) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(128, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
    image[:, :, 10:20, 5:50] = 20
    text = torch.zeros(count, 1, size, size)
    text[:, :, 10:20, 5:50] = 1
    ones = torch.ones_like(text)
    return {
        "image": image,
        "shrink_map": text,
        "shrink_mask": ones,
        "threshold_map": 0.3 + 0.4 * text,
        "threshold_mask": text,
    }


@pytest.mark.parametrize("backbone", ["tiny", "tf_efficientnet_lite0", "hrnet_w18_small"])
def test_the_maps_have_the_size_of_the_image(backbone: str) -> None:
    model = build_dbnet(dataclasses.replace(TINY, backbone=backbone)).eval()
    with torch.no_grad():
        maps = model(batch(96)["image"])
    assert maps.probability.shape == maps.threshold.shape == (2, 1, 96, 96)
    assert model.detect(batch(96)["image"]).shape == (2, 96, 96)


def test_detect_gives_the_probabilities_of_forward() -> None:
    model = build_dbnet(TINY).eval()
    with torch.no_grad():
        expected = model(batch()["image"]).probability.sigmoid().squeeze(1)
    torch.testing.assert_close(model.detect(batch()["image"]), expected)


def test_images_are_normalised_inside_by_what_the_backbone_was_trained_on() -> None:
    model = build_dbnet(TINY).eval()
    seen = []
    model.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(torch.full((1, 3, 64, 64), 255, dtype=torch.uint8))
    expected = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(seen[0][0, :, 0, 0], expected)


def test_the_loss_is_the_weighted_sum_of_the_papers_three_terms() -> None:
    config = dataclasses.replace(TINY, bce_weight=2.0, l1_weight=3.0, dice_weight=0.5, negative_ratio=2.0)
    model = build_dbnet(config).eval()
    data = batch()
    with torch.no_grad():
        losses, maps = model.loss(data), model(data["image"])
    threshold = maps.threshold.sigmoid()
    binary = 1 / (1 + torch.exp(-50 * (maps.probability.sigmoid() - threshold)))  # eq. 2
    bce = balanced_bce(maps.probability, data["shrink_map"], data["shrink_mask"], 2.0)
    l1 = masked_l1(threshold, data["threshold_map"], data["threshold_mask"])
    dice = dice_loss(binary, data["shrink_map"], data["shrink_mask"])
    torch.testing.assert_close(losses["loss"], 2 * bce + 3 * l1 + 0.5 * dice)
    torch.testing.assert_close(torch.stack([losses["bce"], losses["l1"], losses["dice"]]), torch.stack([bce, l1, dice]))


@pytest.mark.parametrize("name", ["bce", "l1", "dice"])
def test_a_term_without_weight_is_reported_as_zero(name: str) -> None:
    losses = build_dbnet(dataclasses.replace(TINY, **{f"{name}_weight": 0.0})).loss(batch())
    assert float(losses[name]) == 0.0
    assert all(float(value.detach()) > 0 for other, value in losses.items() if other != name)


def test_all_terms_off_is_a_loss_of_zero() -> None:
    losses = build_dbnet(dataclasses.replace(TINY, bce_weight=0.0, l1_weight=0.0, dice_weight=0.0)).loss(batch())
    assert [float(value) for value in losses.values()] == [0.0] * 4


def test_an_untrained_head_draws_no_checkerboard() -> None:
    torch.manual_seed(0)
    model = build_dbnet(TINY)
    for head in (model.probability, model.threshold):
        assert isinstance(head, Head)
        last = head[-1].weight.detach()
        assert bool((last == last[:, :, :1, :1]).all())


def test_every_weight_takes_part_in_the_loss() -> None:
    model = build_dbnet(TINY)
    model.loss(batch())["loss"].backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_few_steps_lower_the_loss() -> None:
    torch.manual_seed(0)
    model, data = build_dbnet(TINY), batch()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.loss(data)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
