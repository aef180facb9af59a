"""How far a range may be widened: as far as it makes sense, and no further than the trainable takes."""

from __future__ import annotations

import pytest

from reports.numbers.widening import beyond, wider


@pytest.mark.parametrize(
    ("domain", "low", "high"),
    [
        ({"low": 1e-4, "high": 1e-2, "log": True}, 1e-5, 1e-1),
        ({"low": 8, "high": 64, "log": True}, 1, 640),
        ({"low": 4, "high": 16, "log": False}, 1, 28),  # Nobody has a batch of no picture.
        ({"low": 0.5, "high": 0.75, "log": False}, 0.25, 1.0),
        ({"low": -1.0, "high": 1.0, "log": False}, -3.0, 3.0),
        ({"low": 0.001, "high": 0.1, "log": False}, 0.0001, 0.199),
        ({"low": 0.1, "high": 0.3, "log": False, "step": 0.1}, None, 0.5),
        ({"low": 4, "high": 16, "log": False, "step": 4}, None, 28),  # The next step down is 0.
        ({"low": 0, "high": 3, "log": False, "step": 1}, None, 6),
        ({"low": 0.0, "high": 1.0, "log": False}, None, None),
        ({"low": 1, "high": 8, "log": True}, None, 80),
    ],
)
def test_a_wider_bound_is_ten_times_or_a_width_away_where_that_makes_sense(domain, low, high):
    assert [wider(domain, "low"), wider(domain, "high")] == [
        None if bound is None else pytest.approx(bound) for bound in (low, high)
    ]


@pytest.mark.parametrize(
    ("domain", "edge", "limits", "bound"),
    [
        ({"low": 2, "high": 16, "log": False}, "low", {"low": 1}, 1),
        ({"low": 1, "high": 16, "log": False}, "low", {"low": 1}, None),
        ({"low": 0.5, "high": 0.9, "log": False}, "high", {"below": 1.0}, 0.95),
        ({"low": 0.5, "high": 0.9, "log": False}, "high", {"high": 1.0}, 1.0),
        ({"low": 0.0, "high": 1.0, "log": False}, "high", {"high": 2.0}, 2.0),
        ({"low": 0, "high": 3, "log": False, "step": 1}, "high", {"high": 5}, 5),
        ({"low": 0, "high": 3, "log": False, "step": 1}, "high", {"high": 3}, None),
        ({"low": 1e-4, "high": 1.0, "log": True}, "high", {"high": 1.0}, None),
        ({"low": 4, "high": 16, "log": False, "step": 4}, "high", {"high": 25}, 24),  # Only steps are reached.
    ],
)
def test_no_bound_is_advised_that_the_trainable_refuses(domain, edge, limits, bound):
    found = wider(domain, edge, limits)
    assert found == (None if bound is None else pytest.approx(bound))


@pytest.mark.parametrize(
    "domain",
    [
        {"low": 4, "high": 16, "log": False, "step": 4},
        {"low": 1e-4, "high": 1e-2, "log": True, "step": None},
        {"low": 0.1, "high": 0.3, "log": False, "step": 0.1},
    ],
)
def test_what_is_beyond_a_range_is_outside_of_it_and_near(domain):
    assert beyond(domain, "low") < domain["low"] and beyond(domain, "high") > domain["high"]
