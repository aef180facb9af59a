"""Computes the three losses of DBNet (Liao et al. 2020, section 3.5): balanced BCE, masked L1, dice; all in float32."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-6


def balanced_bce(logits: Tensor, target: Tensor, mask: Tensor, negative_ratio: float = 3.0) -> Tensor:
    """Returns the mean cross-entropy of all text pixels and of the hardest background pixels.

    All are B x 1 x H x W; target and mask are 0 or 1. At most `negative_ratio` times as many background as text pixels
    count. A batch without text counts as having one pixel of it, so that its worst mistakes are still learnt from.
    Returns 0 where the mask leaves nothing.
    """
    loss = functional.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    positive = target * mask
    negative = (1 - target) * mask
    positives = int(positive.sum())
    negatives = min(int(negative.sum()), int(max(positives, 1) * negative_ratio))
    hardest = torch.topk((loss * negative).flatten(), negatives, sorted=False).values
    return ((loss * positive).sum() + hardest.sum()) / max(positives + negatives, 1)


def masked_l1(values: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Returns the mean absolute difference where the mask is 1; 0 where it is nowhere."""
    return ((values.float() - target).abs() * mask).sum() / (mask.sum() + EPSILON)


def dice_loss(values: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Returns 1 - 2 |A and B| / (|A| + |B|), over the whole batch; from 0 to 1 (Milletari et al. 2016)."""
    values = values.float() * mask
    overlap = (values * target).sum()
    return 1 - (2 * overlap + EPSILON) / (values.sum() + (target * mask).sum() + EPSILON)
