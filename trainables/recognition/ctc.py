"""Computes what connectionist temporal classification (Graves et al. 2006) needs for a label, and reads greedily."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from trainables.recognition.charset import BLANK

Decoding = tuple[list[int], float]  # classes of the characters, and the confidence


def steps_needed(indices: Sequence[int]) -> int:
    """Returns the fewest time steps a label fits into: one a character, and a blank between equal neighbours."""
    return len(indices) + sum(a == b for a, b in pairwise(indices))


def decode_greedy(log_probs: Tensor, steps: Tensor) -> list[Decoding]:
    """Takes the best class of each step, merges repeats and drops blanks; returns also how sure that is.

    log_probs: float32, B x T x C, log-softmax, of which the first `steps` of each row count. The confidence, 0 to 1, is
    the probability that the network gives to the whole text, summed over all paths that read so. The best path alone
    would have a fraction of it, and a mean over characters is near 1 also where one character is wrong.
    """
    best = log_probs.argmax(dim=-1)
    written = (emits(best) & within(best, steps)).tolist()
    rows = zip(best.tolist(), written, strict=True)
    readings = [[c for c, wanted in zip(row, marks, strict=True) if wanted] for row, marks in rows]
    lengths = torch.tensor([len(reading) for reading in readings], device=best.device)
    padded = pad_sequence([torch.tensor(reading, dtype=torch.int64) for reading in readings], batch_first=True)
    loss = functional.ctc_loss(
        log_probs.transpose(0, 1), padded.to(best.device), steps, lengths, blank=BLANK, reduction="none"
    )
    return list(zip(readings, (-loss).exp().clamp(max=1).tolist(), strict=True))


def emits(best: Tensor) -> Tensor:
    """Marks where a path writes a character, B x T: a class that is neither blank nor that of the step before."""
    before = functional.pad(best, (1, 0), value=BLANK)[:, :-1]
    return (best != BLANK) & (best != before)


def within(best: Tensor, steps: Tensor) -> Tensor:
    """Marks the steps of each row that are its own and not padding, B x T."""
    return torch.arange(best.shape[1], device=best.device) < steps[:, None]


def count_exact(log_probs: Tensor, steps: Tensor, target: Tensor, target_length: Tensor) -> Tensor:
    """Counts, on the device, how many rows decode_greedy reads as their target (B x L, padded at will)."""
    best = log_probs.argmax(dim=-1)
    written = emits(best) & within(best, steps)
    place = torch.where(written, written.cumsum(1) - 1, 0)  # place in the text of each character that is written
    fits = place < target_length[:, None]
    wanted = functional.pad(target, (0, 1)).gather(1, place.clamp(max=target.shape[1]))
    right = (~written | (fits & (wanted == best))).all(1) & (written.sum(1) == target_length)
    return right.sum()
