"""Why a trial came to its end by itself, in one line, and what is read off such a line."""

from __future__ import annotations

import math

import pytest

from orchestrator.policies.asha import Asha
from orchestrator.study.endings import EarlyStop, early_stop, is_cut, reason_of_end
from orchestrator.trial import Report, Trial
from trainables.engine import stopped_early


@pytest.mark.parametrize(
    ("epochs", "last", "said", "reason"),
    [
        (6, 6, None, "last epoch: 6 of 6"),
        (7, 6, None, "last epoch: 7"),
        (4, 6, None, "ended by itself after epoch 4 of 6"),
        (4, math.inf, None, "ended by itself after epoch 4"),
        (4, 6, "the loss is small enough", "the loss is small enough"),
        (4, 6, "two\nlines\x1b[31m", "two lines [31m"),
        (6, 6, " ", "last epoch: 6 of 6"),
    ],
)
def test_the_reason_of_an_end_is_one_line(epochs: int, last: float, said: str | None, reason: str):
    trial = Trial(1, {}, reports=tuple(Report(e, {}, 1.0, 0.0) for e in range(1, epochs + 1)))
    assert reason_of_end(trial, last, said) == reason


def test_the_schedulers_reason_is_told_from_others():
    assert is_cut(Asha(eta=4).reason(16)) and "epoch 16" in Asha(eta=4).reason(16)
    assert not is_cut("the search ended before it went on") and not is_cut(None)


def test_the_engines_words_of_early_stopping_are_understood():
    assert early_stop(stopped_early("val/acc", 5)) == EarlyStop("val/acc", 5)
    assert early_stop(stopped_early("val/acc", 1)) == EarlyStop("val/acc", 1)
    assert early_stop("stopped early") == EarlyStop()
    assert early_stop("last epoch: 6 of 6") is None
    assert early_stop(None) is None
