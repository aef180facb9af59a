"""Times what runs while its epochs are long: seconds of a trial, its epoch and the step within it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from orchestrator.mistake import duration
from orchestrator.study.event import Event
from orchestrator.study.study import Study
from orchestrator.trial import State, Trial
from orchestrator.worker.epoch_step import EpochStep, read_step


class Clock:
    """Learns from the study's events when each attempt began. now: monotonic seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began: dict[int, tuple[float, float]] = {}  # trial -> when its attempt began, its seconds until then

    def event(self, event: Event) -> None:
        """Takes what happened to a trial."""
        if event.step is None and event.kind == "started":
            self._began[event.trial.number] = self._now(), event.trial.seconds

    def seconds(self, trial: Trial) -> float:
        """Returns how long the trial has run in all, until this moment if it runs."""
        if trial.state is not State.RUNNING or trial.number not in self._began:
            return trial.seconds
        began, before = self._began[trial.number]
        return max(trial.seconds, before + self._now() - began)

    def epochs(self, trial: Trial, study: Study) -> str:
        """Writes `3/6`: of a running trial the epoch that runs, of another the last one that it reported."""
        last = study.last_epoch.of(trial)
        epoch = trial.epochs + (trial.state is State.RUNNING and trial.epochs < last)
        return f"{epoch}" if math.isinf(last) else f"{epoch}/{last:.0f}"

    def step(self, trial: Trial, study: Study) -> EpochStep | None:
        """Returns the step of the epoch that runs; None where the trainable does not tell."""
        if trial.state is not State.RUNNING:
            return None
        found = read_step(study.directory, trial.number)
        return found if found is not None and found.epoch == trial.epochs + 1 else None

    def running(self, study: Study) -> list[str]:
        """Writes `0007 in epoch 3/6, step 41/120, 2 min 10 s` for every running trial."""
        said = []
        for trial in study.running:
            step = self.step(trial, study)
            at = "" if step is None else f", step {step}"
            said.append(f"{trial.number:04d} in epoch {self.epochs(trial, study)}{at}, {duration(self.seconds(trial))}")
        return said
