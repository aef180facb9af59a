"""A clock that shows unix time and that nothing sets."""

from __future__ import annotations

from orchestrator.steady_clock import SteadyClock


def test_it_shows_the_wall_clocks_time_and_then_counts_on_whatever_sets_that():
    wall, monotonic = [1_800_000_000.0], [50.0]
    clock = SteadyClock(lambda: wall[0], lambda: monotonic[0])
    assert clock() == 1_800_000_000.0
    for hours in (-2, 9):
        wall[0] += hours * 3600
        monotonic[0] += 10.0
    assert clock() == 1_800_000_020.0
