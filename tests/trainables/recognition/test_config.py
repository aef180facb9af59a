"""Checks that config.py refuses what no network can take, and how many time steps a width gives."""

from __future__ import annotations

import pytest

from trainables.recognition.config import Config, time_steps


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 7}, "width: must be 0 or at least 8, but got 7"),
        ({"backbone": "small", "pretrained": True}, "pretrained: `small` has no pretrained weights"),
    ],
)
def test_what_no_network_can_take_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Config(**settings)


def test_the_defaults_and_widths_that_keep_proportions_are_taken() -> None:
    assert Config(width=0).width == 0
    assert Config(backbone="resnet18", pretrained=True).pretrained


@pytest.mark.parametrize(("width", "steps"), [(1, 1), (4, 1), (5, 2), (100, 25), (101, 26)])
def test_a_time_step_covers_four_pixels(width: int, steps: int) -> None:
    assert time_steps(width) == steps
