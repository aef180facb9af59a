"""Checks what the host of a cluster decides by itself."""

from __future__ import annotations

from orchestrator.cluster.ray_host import _Clock


def test_a_clock_that_is_set_back_is_noticed_and_a_correction_or_one_set_forward_is_not(monkeypatch):
    wall = [1_800_000_000.0]
    monkeypatch.setattr("time.time", lambda: wall[0])
    monkeypatch.setattr("time.monotonic", lambda: 50.0)
    clock = _Clock()
    found = []
    for seconds in (0.0, -1.0, 9 * 3600.0, -9 * 3600.0):
        wall[0] += seconds
        found.append(clock.set_back())
    assert found == [False, False, False, True]
