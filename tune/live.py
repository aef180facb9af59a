"""Shows a running study: as a live table in a terminal, as plain lines when piped."""

from __future__ import annotations

import time
from collections import Counter

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.home import trial_directory
from orchestrator.mistake import duration, short
from orchestrator.progress import Progress
from orchestrator.step import Step
from orchestrator.study.event import Event
from orchestrator.study.study import Study
from orchestrator.trial import State, Trial

_COLOURS = {
    State.RUNNING: "cyan",
    State.PAUSED: "yellow",
    State.COMPLETED: "green",
    State.PRUNED: "dim",
    State.FAILED: "red",
}
_ROWS = 12  # The table shows all running trials, then the newest others, up to so many; fewer in a low terminal.
_BESIDE = 6  # lines of a terminal that stay free for the heading, the summary and what was said last


def build_progress(console: Console) -> Progress:
    """Chooses how a study is shown on this console."""
    return LiveTable(console) if console.is_terminal else Lines(console)


class Lines:
    """Prints a line when a trial starts or ends, when it becomes the best, and after half a minute of silence."""

    def __init__(self, console: Console, silence: float = 30.0) -> None:
        self._console = console
        self._silence = silence
        self._spoke = time.monotonic()
        self._study: Study | None = None
        self._deadline: float | None = None
        self._best: tuple[int, float] | None = None

    def begin(self, study: Study, deadline: float | None) -> None:
        """Takes the study that is shown from now on. deadline: unix time, None without one."""
        self._study, self._deadline = study, deadline
        self._best = _best_of(study)

    def event(self, event: Event) -> None:
        """Prints what happened to a trial, if that is worth a line."""
        study = self._study
        if study is None:
            return
        best = _best_of(study)
        trial = event.trial
        if event.step is not None:
            self._say_all(step_lines(event, event.step, study))
        elif event.kind == "report":
            if best != self._best and best is not None and best[0] == trial.number:
                self.say(f"{_name(trial)}  best so far: {study.objective.metric} {best[1]:.4f} at epoch {trial.epochs}")
        elif event.kind == "started":
            again = f" again after epoch {trial.checkpoint_epoch or 0}" if trial.attempts > 1 else ""
            config = describe(trial, study)
            self.say(f"{_name(trial)}  started{again}" + (f": {config}" if config else ""))
        else:
            reason = f": {trial.reason}" if trial.reason else ""
            self.say(f"{_name(trial)}  {event.kind}{reason}, {_value(trial, study)}, {duration(trial.seconds)}")
        self._best = best

    def tick(self) -> None:
        """Prints how the study stands, if nothing was printed for a while."""
        if self._study is not None and time.monotonic() - self._spoke > self._silence:
            self.say(summary(self._study, self._deadline))

    def _say_all(self, lines: list[str]) -> None:
        for line in lines:
            self.say(line)

    def say(self, line: str) -> None:
        """Prints a line with the time of day before it."""
        self._spoke = time.monotonic()
        self._console.print(f"{time.strftime('%H:%M:%S')}  {line}", highlight=False, markup=False, soft_wrap=True)

    def end(self) -> None:
        """Leaves everything that was printed."""
        return None


class LiveTable:
    """Shows a table that repaints itself at most every `interval` seconds, with what was said above it."""

    def __init__(self, console: Console, interval: float = 0.5) -> None:
        self._console = console
        self._interval = interval
        self._live: Live | None = None
        self._study: Study | None = None
        self._deadline: float | None = None
        self._painted = 0.0

    def begin(self, study: Study, deadline: float | None) -> None:
        """Shows the study from now on. deadline: unix time, None without one."""
        self._study, self._deadline = study, deadline
        if self._live is None:  # A study that goes on on another cluster begins again, and keeps its table.
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()

    def event(self, event: Event) -> None:
        """Says why a trial failed or is tried again, and what a step does; the table shows the rest."""
        if event.step is not None and self._study is not None:
            for line in step_lines(event, event.step, self._study):
                self.say(line)
        elif event.kind in ("failed", "retried"):
            self.say(f"{_name(event.trial)}  {event.kind}: {event.trial.reason}")

    def tick(self) -> None:
        """Repaints the table, unless it has just been painted."""
        if self._live is None or self._study is None or time.monotonic() - self._painted < self._interval:
            return
        self._painted = time.monotonic()
        table = _table(self._study, self._console.height - _BESIDE)
        self._live.update(Group(table, Text(summary(self._study, self._deadline))), refresh=True)

    def say(self, line: str) -> None:
        """Prints a line above the table."""
        self._console.print(line, highlight=False, markup=False)

    def end(self) -> None:
        """Takes the table away; what was said stays."""
        if self._live is not None:
            self._live.stop()
        self._live = None


def step_lines(event: Event, step: Step, study: Study) -> list[str]:
    """Returns what is said of a step: one line, or none where it came to its end."""
    log = trial_directory(study.directory, step.trial) / "log.txt"
    said = {
        "started": "scoring on the test split" + (" again" if step.attempts > 1 else ""),
        "paused": f"scoring paused: {step.reason}",
        "retried": f"scoring retried: {step.reason}",
        "failed": f"cannot be scored: {step.reason}; see {log}",
    }
    return [f"{_name(event.trial)}  {said[event.kind]}"] if event.kind in said else []


def summary(study: Study, deadline: float | None, now: float | None = None) -> str:
    """Says in one line: trials by state, best so far, how many reached which milestone, time left."""
    trials = study.trials
    states = Counter(trial.state.value for trial in trials)
    allowed = study.spec.budget.trials
    parts = [f"{len(trials)}{'' if allowed is None else f'/{max(allowed, len(trials))}'} trials"]
    parts += [f"{states[state.value]} {state.value}" for state in State if states[state.value]]
    best = _best_of(study)
    if best is not None:
        parts.append(f"best {study.objective.metric} {best[1]:.4f} ({best[0]:04d})")
    longest = max((trial.epochs for trial in trials), default=0)
    for milestone in study.policy.milestones(longest + 1):
        parts.append(f"{sum(trial.epochs >= milestone for trial in trials)} reached epoch {milestone}")
    if deadline is not None:
        parts.append(f"{duration(max(0.0, deadline - (now or time.time())))} left until the deadline")
    else:
        left = time_left(study)
        parts += [f"about {duration(left)} left"] if left is not None else []
    if study.stopping or study.over:
        parts.append(f"stopping ({study.stopping or study.over}): trials pause at their next report")
    return " · ".join(parts)


def time_left(study: Study) -> float | None:
    """Estimates the seconds until the last trial ends, by those that ended; None while few have, or without a limit."""
    allowed = study.spec.budget.trials
    ended = [trial for trial in study.trials if trial.state.final]
    if allowed is None or len(ended) < 3:
        return None
    mean = sum(trial.seconds for trial in ended) / len(ended)
    return max(0, allowed - len(ended)) * mean / max(1, study.concurrency)


def describe(trial: Trial, study: Study) -> str:
    """Writes the searched values of a config briefly: `lr 3.1e-4, batch_size 8`."""
    return ", ".join(
        f"{name} {short(trial.config[name])}" for name in study.spec.space.searched if name in trial.config
    )


def _table(study: Study, height: int) -> Table:
    """Lists at most `height` trials: the running ones, then the newest others."""
    table = Table(box=None, pad_edge=False, expand=False)
    for heading in ("trial", "state", "epoch", study.objective.metric, "time", "config"):
        table.add_column(heading, no_wrap=heading != "config", overflow="ellipsis")
    running = study.running
    others = [t for t in reversed(study.trials) if t.state is not State.RUNNING][: max(0, _ROWS - len(running))]
    best = study.best
    for trial in [*running, *others][: max(1, height)]:
        style = "bold" if best is not None and trial.number == best.number else _COLOURS[trial.state]
        mark = " *" if best is not None and trial.number == best.number else ""
        value = trial.value(study.objective)
        table.add_row(
            Text(_name(trial) + mark),
            trial.state.value,
            str(trial.epochs),
            "" if value is None else f"{value:.4f}",
            duration(trial.seconds),
            Text(describe(trial, study), no_wrap=True),
            style=style,
        )
    return table


def _name(trial: Trial) -> str:
    """Returns the trial's number, and its name if it is a baseline."""
    return f"{trial.number:04d}" + (f" ({trial.baseline})" if trial.baseline else "")


def _value(trial: Trial, study: Study) -> str:
    """Says the trial's best value and its epochs."""
    value = trial.value(study.objective)
    epochs = "1 epoch" if trial.epochs == 1 else f"{trial.epochs} epochs"
    return f"no {study.objective.metric}" if value is None else f"{study.objective.metric} {value:.4f}, {epochs}"


def _best_of(study: Study) -> tuple[int, float] | None:
    """Returns (number, value) of the best trial; None while no trial has a value."""
    best = study.best
    value = None if best is None else best.value(study.objective)
    return None if best is None or value is None else (best.number, value)
