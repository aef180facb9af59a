"""Checks readings and needed steps of ctc.py against every path there is, and against torch's loss."""

from __future__ import annotations

import math
from itertools import groupby, product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from trainables.recognition.ctc import BLANK, count_exact, decode_greedy, steps_needed


def text_of(path: tuple[int, ...]) -> list[int]:
    return [c for c, _ in groupby(path) if c != BLANK]


def draw_log_probs(seed: int, rows: int, steps: int, classes: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(rows, steps, classes, generator=generator)).log_softmax(-1)


@pytest.mark.parametrize("seed", range(20))
def test_the_reading_is_that_of_the_most_probable_path_and_as_sure_as_all_that_read_so(seed: int) -> None:
    steps, classes = 5, 3
    log_probs = draw_log_probs(seed, 1, steps, classes)
    path_probs = {
        path: math.exp(sum(float(log_probs[0, t, c]) for t, c in enumerate(path)))
        for path in product(range(classes), repeat=steps)
    }
    assert sum(path_probs.values()) == pytest.approx(1.0, abs=1e-5)
    best = max(path_probs, key=lambda path: path_probs[path])
    [(reading, confidence)] = decode_greedy(log_probs, torch.tensor([steps]))
    assert reading == text_of(best)
    assert confidence == pytest.approx(
        sum(prob for path, prob in path_probs.items() if text_of(path) == reading), rel=1e-4
    )


def test_equal_characters_need_a_blank_between_them() -> None:
    path = torch.tensor([[1, 1, 0, 1, 2, 2, 0, 0]])
    log_probs = (20.0 * functional.one_hot(path, 3)).log_softmax(-1)
    [(reading, confidence)] = decode_greedy(log_probs, torch.tensor([8]))
    assert reading == [1, 1, 2]
    assert confidence == pytest.approx(1.0, abs=1e-6)


def test_steps_of_padding_are_neither_read_nor_doubted() -> None:
    log_probs = draw_log_probs(0, 3, 9, 4)
    steps = torch.tensor([9, 4, 1])
    for row, (reading, confidence) in enumerate(decode_greedy(log_probs, steps)):
        alone = log_probs[row : row + 1, : steps[row]]
        [(expected, sure)] = decode_greedy(alone, steps[row : row + 1])
        assert reading == expected
        assert confidence == pytest.approx(sure)


def test_nothing_read_has_a_confidence_too() -> None:
    log_probs = torch.tensor([[[0.9, 0.1], [0.8, 0.2]]]).log()
    [(reading, confidence)] = decode_greedy(log_probs, torch.tensor([2]))
    assert reading == []
    assert confidence == pytest.approx(0.72)


@pytest.mark.parametrize("length", range(5))
def test_the_steps_needed_are_the_fewest_of_which_any_path_reads_as_the_label(length: int) -> None:
    paths = {steps: list(product(range(3), repeat=steps)) for steps in range(9)}
    for label in product((1, 2), repeat=length):
        fewest = next(n for n in paths if any(text_of(path) == list(label) for path in paths[n]))
        assert steps_needed(label) == fewest


@pytest.mark.parametrize("label", [[1], [1, 2], [1, 1], [2, 2, 2, 1], [1] * 6])
def test_the_steps_needed_are_those_from_which_torchs_loss_is_finite(label: list[int]) -> None:
    for steps in range(1, 14):
        log_probs = draw_log_probs(0, 1, steps, 3).transpose(0, 1)
        sizes = torch.tensor([steps]), torch.tensor([len(label)])
        loss = functional.ctc_loss(log_probs, torch.tensor([label]), *sizes, blank=BLANK)
        assert math.isfinite(loss) == (steps >= steps_needed(label))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_exact_rows_are_those_whose_reading_is_the_target(data: st.DataObject) -> None:
    rows, time = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 6))

    def lists(values: st.SearchStrategy[Any], size: int) -> st.SearchStrategy[list[Any]]:
        return st.lists(values, min_size=size, max_size=size)

    path = torch.tensor(data.draw(lists(lists(st.integers(0, 2), time), rows)))
    steps = torch.tensor(data.draw(lists(st.integers(1, time), rows)))
    log_probs = functional.one_hot(path, 3).float().log_softmax(-1)
    readings = [reading for reading, _ in decode_greedy(log_probs, steps)]
    labels = [
        data.draw(st.one_of(st.just(reading), st.lists(st.integers(1, 2), max_size=time))) for reading in readings
    ]
    width = max(map(len, labels)) + data.draw(st.integers(0, 2))
    target = torch.tensor([label + [0] * (width - len(label)) for label in labels]).reshape(rows, width)
    lengths = torch.tensor([len(label) for label in labels])
    expected = sum(label == reading for label, reading in zip(labels, readings, strict=True))
    assert int(count_exact(log_probs, steps, target, lengths)) == expected
