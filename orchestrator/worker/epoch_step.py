"""Tells whoever shows a trial how far its epoch is: one line in a file of the trial's folder.

The worker writes it, at most once a second. Nothing depends on it, and it may be absent, late or half written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.home import trial_directory

INTERVAL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class EpochStep:
    """Names a step of an epoch, both counted from 1. steps: of the whole epoch; None where nobody knows."""

    epoch: int
    step: int
    steps: int | None = None

    def __str__(self) -> str:
        return f"{self.step}" if self.steps is None else f"{self.step}/{self.steps}"


def read_step(study_directory: Path, number: int) -> EpochStep | None:
    """Returns what the trial's worker wrote last; None where it wrote nothing that can be read."""
    try:
        words = _file(trial_directory(study_directory, number)).read_text().split()
        epoch, step, steps = map(int, words)
    except (OSError, ValueError):
        return None
    return EpochStep(epoch, step, steps or None)


class StepFile:
    """Writes the step of a running epoch, and raises nothing. clock: monotonic seconds."""

    def __init__(self, trial_directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = _file(trial_directory), clock
        self._wrote = float("-inf")

    def write(self, at: EpochStep) -> None:
        """Writes the step, unless another has just been written."""
        if self._clock() - self._wrote < INTERVAL_SECONDS:
            return
        self._wrote = self._clock()
        with suppress(OSError):
            self._path.write_text(f"{at.epoch} {at.step} {at.steps or 0}\n")

    def remove(self) -> None:
        """Removes what was written: no epoch runs."""
        self._wrote = float("-inf")
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _file(trial_directory: Path) -> Path:
    return trial_directory / "step.txt"
