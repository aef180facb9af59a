"""Shows a running study as plain lines: in a pipe, in a file, in its run.log."""

from __future__ import annotations

import time

from rich.console import Console

from orchestrator.mistake import duration
from orchestrator.study.event import Event
from orchestrator.study.study import Study
from orchestrator.trial import Trial
from tune.clock import Clock
from tune.standing import best_of, describe, name_of, step_lines, summary


class Lines:
    """Prints a line when a trial starts or ends, when it becomes the best, and after half a minute of silence."""

    def __init__(self, console: Console, silence: float = 30.0) -> None:
        self._console = console
        self._silence = silence
        self._spoke = time.monotonic()
        self._study: Study | None = None
        self._deadline: float | None = None
        self._best: tuple[int, float] | None = None
        self._clock = Clock()

    def begin(self, study: Study, deadline: float | None) -> None:
        """Takes the study that is shown from now on. deadline: unix time, None without one."""
        self._study, self._deadline = study, deadline
        self._best = best_of(study)

    def event(self, event: Event) -> None:
        """Prints what happened to a trial, if that is worth a line."""
        self._clock.event(event)
        study = self._study
        if study is None:
            return
        best = best_of(study)
        trial = event.trial
        if event.step is not None:
            self._say_all(step_lines(event, event.step, study))
        elif event.kind == "report":
            if best != self._best and best is not None and best[0] == trial.number:
                value = f"{study.objective.metric} {best[1]:.4f}"
                self.say(f"{name_of(trial)}  best so far: {value} at epoch {trial.epochs}")
        elif event.kind == "started":
            again = f" again after epoch {trial.checkpoint_epoch or 0}" if trial.attempts > 1 else ""
            config = describe(trial, study)
            self.say(f"{name_of(trial)}  started{again}" + (f": {config}" if config else ""))
        else:
            reason = f": {trial.reason}" if trial.reason else ""
            self.say(f"{name_of(trial)}  {event.kind}{reason}, {_value(trial, study)}, {duration(trial.seconds)}")
        self._best = best

    def tick(self) -> None:
        """Prints how the study stands, and where its running trials are, if nothing was printed for a while."""
        if self._study is not None and time.monotonic() - self._spoke > self._silence:
            stands = summary(self._study, self._deadline, clock=self._clock)
            self.say(" · ".join([stands, *self._clock.running(self._study)]))

    def say(self, line: str) -> None:
        """Prints a line with date and time before it."""
        self._spoke = time.monotonic()
        at = time.strftime("%Y-%m-%d %H:%M:%S")
        self._console.print(f"{at}  {line}", highlight=False, markup=False, soft_wrap=True)

    def end(self) -> None:
        """Leaves everything that was printed."""
        return None

    def _say_all(self, lines: list[str]) -> None:
        for line in lines:
            self.say(line)


def _value(trial: Trial, study: Study) -> str:
    """Says the trial's best value and its epochs."""
    value = trial.value(study.objective)
    epochs = "1 epoch" if trial.epochs == 1 else f"{trial.epochs} epochs"
    return f"no {study.objective.metric}" if value is None else f"{study.objective.metric} {value:.4f}, {epochs}"
