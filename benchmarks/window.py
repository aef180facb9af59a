"""Times stretches of training, and compares two that alternate."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Holds what was timed. crops: that were learned. wall, cpu: seconds that passed, and seconds of the processor."""

    crops: int
    wall: float
    cpu: float

    @property
    def per_second(self) -> float:
        return self.crops / self.wall

    @property
    def per_cpu_second(self) -> float:
        return self.crops / self.cpu


def timed(act: Callable[[], object], crops: int) -> Window:
    """Measures what this process does in `act`."""
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return Window(crops, time.perf_counter() - wall, time.process_time() - cpu)


def alternate(acts: dict[str, Callable[[], Window]], repeats: int) -> dict[str, list[Window]]:
    """Times each in turn, and again, so that other work slows all of them alike; the first turn is lost."""
    windows: dict[str, list[Window]] = {name: [] for name in acts}
    for turn in range(repeats + 1):
        for name, act in acts.items():
            window = act()
            if turn:
                windows[name].append(window)
    return windows


def speed(windows: Sequence[Window]) -> tuple[float, float]:
    """Medians: crops per second, and per second of the processor."""
    return (
        statistics.median(window.per_second for window in windows),
        statistics.median(window.per_cpu_second for window in windows),
    )


def ratio(windows: Sequence[Window], reference: Sequence[Window]) -> tuple[float, float]:
    """Medians over the turns: how many times as fast as the reference by the clock, and by the processor's time."""
    pairs = list(zip(windows, reference, strict=True))
    return (
        statistics.median(window.per_second / other.per_second for window, other in pairs),
        statistics.median(window.per_cpu_second / other.per_cpu_second for window, other in pairs),
    )
