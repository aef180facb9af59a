from __future__ import annotations

import pytest

from benchmarks.window import Window, alternate, ratio, speed, timed


def test_acts_take_turns_and_the_first_turn_is_lost():
    said = []

    def act(name: str) -> Window:
        said.append(name)
        return Window(len(said), 1.0, 1.0)

    windows = alternate({"a": lambda: act("a"), "b": lambda: act("b")}, repeats=2)
    assert said == ["a", "b"] * 3
    assert {name: [window.crops for window in own] for name, own in windows.items()} == {"a": [3, 5], "b": [4, 6]}


def test_a_ratio_compares_within_a_turn_so_that_a_slow_turn_changes_nothing():
    ours = [Window(100, 1.0, 0.5), Window(100, 10.0, 0.5), Window(100, 1.0, 0.5)]
    theirs = [Window(100, 2.0, 2.0), Window(100, 20.0, 2.0), Window(100, 2.0, 2.0)]
    assert ratio(ours, theirs) == (pytest.approx(2.0), pytest.approx(4.0))
    assert speed(ours) == (100.0, 200.0)


def test_time_of_the_processor_is_counted_beside_the_clock():
    window = timed(lambda: sum(range(100_000)), crops=7)
    assert window.crops == 7
    assert window.wall > 0 and window.cpu > 0
