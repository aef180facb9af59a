"""Checks losses.py against torch, numpy and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from trainables.detection.losses import balanced_bce, dice_loss, masked_l1


def maps(*values: list[float]) -> tuple[torch.Tensor, ...]:
    return tuple(torch.tensor(v).view(1, 1, 1, -1) for v in values)


def test_with_enough_text_it_is_the_plain_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(2, 1, 8, 8), (torch.rand(2, 1, 8, 8) > 0.5).float()
    expected = functional.binary_cross_entropy_with_logits(logits, target)
    torch.testing.assert_close(balanced_bce(logits, target, torch.ones_like(target), 3.0), expected)


def test_only_the_hardest_background_counts_three_to_one() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1, 1, 10, 10))
    target, mask = np.zeros((1, 1, 10, 10)), (rng.random((1, 1, 10, 10)) > 0.2).astype(float)
    target[0, 0, 0, :4] = mask[0, 0, 0, :4] = 1
    positive = np.log1p(np.exp(-logits))[(target * mask) == 1]
    negative = np.sort(np.log1p(np.exp(logits))[((1 - target) * mask) == 1])[::-1][: 3 * len(positive)]
    expected = (positive.sum() + negative.sum()) / (4 * len(positive))
    got = balanced_bce(torch.tensor(logits), torch.tensor(target).float(), torch.tensor(mask).float())
    assert float(got) == pytest.approx(expected, rel=1e-5)


def test_a_batch_without_text_still_learns_from_its_worst_mistakes() -> None:
    logits, target, mask = maps([5.0, -5.0, -5.0, -5.0, -5.0], [0.0] * 5, [1.0] * 5)
    logits.requires_grad_()
    loss = balanced_bce(logits, target, mask)
    loss.backward()
    assert float(loss.detach()) == pytest.approx((np.log1p(np.exp(5)) + 2 * np.log1p(np.exp(-5))) / 3, rel=1e-5)
    assert float(logits.grad[0, 0, 0, 0]) > 0.3


@pytest.mark.parametrize("loss", [balanced_bce, masked_l1])
def test_a_mask_that_leaves_nothing_gives_zero(loss: object) -> None:
    values, target, mask = maps([3.0, -1.0], [1.0, 0.0], [0.0, 0.0])
    values.requires_grad_()
    result = loss(values, target, mask)
    result.backward()
    assert float(result.detach()) == 0 and torch.equal(values.grad, torch.zeros_like(values))


def test_what_the_mask_hides_changes_nothing() -> None:
    torch.manual_seed(0)
    target, mask = (torch.rand(1, 1, 6, 6) > 0.6).float(), (torch.rand(1, 1, 6, 6) > 0.3).float()
    a, b = torch.randn(1, 1, 6, 6), torch.randn(1, 1, 6, 6)
    b = torch.where(mask > 0, a, b)
    for loss in (balanced_bce, masked_l1):
        assert float(loss(a, target, mask)) == pytest.approx(float(loss(b, target, mask)))
    assert float(dice_loss(a.sigmoid(), target, mask)) == pytest.approx(float(dice_loss(b.sigmoid(), target, mask)))


def test_l1_is_the_mean_distance_where_the_mask_is() -> None:
    values, target, mask = maps([0.2, 0.9, 0.5], [0.3, 0.3, 0.9], [1.0, 1.0, 0.0])
    assert float(masked_l1(values, target, mask)) == pytest.approx((0.1 + 0.6) / 2, rel=1e-5)


def test_dice_of_equal_disjoint_and_half_overlapping_masks() -> None:
    one = [1.0] * 4
    assert float(dice_loss(*maps([1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], one))) == pytest.approx(0, abs=1e-6)
    assert float(dice_loss(*maps([1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0], one))) == pytest.approx(1, abs=1e-6)
    assert float(dice_loss(*maps([1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], one))) == pytest.approx(0.5, abs=1e-6)


def test_half_precision_maps_are_summed_in_single_precision() -> None:
    values = torch.full((1, 1, 300, 300), 0.5, dtype=torch.float16)
    ones = torch.ones(1, 1, 300, 300)
    assert float(dice_loss(values, ones, ones)) == pytest.approx(1 - 2 * 0.5 / 1.5, rel=1e-4)  # 90,000 overflows fp16
    assert balanced_bce(values, ones, ones).dtype == torch.float32
