"""What a running study shows: a live table in a terminal, plain lines when piped."""

from __future__ import annotations

import time
from collections import Counter

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.mistake import duration, short
from orchestrator.progress import Progress
from orchestrator.study.study import Event, Study
from orchestrator.trial import State, Trial

_COLOURS = {
    State.RUNNING: "cyan",
    State.PAUSED: "yellow",
    State.COMPLETED: "green",
    State.PRUNED: "dim",
    State.FAILED: "red",
}
_ROWS = 12  # trials in the live table: all running ones, then the newest


def build_progress(console: Console) -> Progress:
    return LiveTable(console) if console.is_terminal else Lines(console)


class Lines:
    """One line whenever a trial ends, a best falls, or half a minute has passed in silence."""

    def __init__(self, console: Console, silence: float = 30.0) -> None:
        self._console = console
        self._silence = silence
        self._spoke = time.monotonic()
        self._study: Study | None = None
        self._deadline: float | None = None
        self._best: tuple[int, float] | None = None

    def begin(self, study: Study, deadline: float | None) -> None:
        self._study, self._deadline = study, deadline
        self._best = _best_of(study)

    def event(self, event: Event) -> None:
        study = self._study
        if study is None:
            return
        best = _best_of(study)
        trial = event.trial
        if event.kind == "report":
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
        if self._study is not None and time.monotonic() - self._spoke > self._silence:
            self.say(summary(self._study, self._deadline))

    def say(self, line: str) -> None:
        self._spoke = time.monotonic()
        self._console.print(f"{time.strftime('%H:%M:%S')}  {line}", highlight=False, markup=False, soft_wrap=True)

    def end(self) -> None:
        return None


class LiveTable:
    """A table that repaints itself, with what was said above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._study: Study | None = None
        self._deadline: float | None = None
        self._painted = 0.0

    def begin(self, study: Study, deadline: float | None) -> None:
        self._study, self._deadline = study, deadline
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def event(self, event: Event) -> None:
        if event.kind in ("failed", "retried"):
            self.say(f"{_name(event.trial)}  {event.kind}: {event.trial.reason}")

    def tick(self) -> None:
        if self._live is None or self._study is None or time.monotonic() - self._painted < 0.5:
            return
        self._painted = time.monotonic()
        self._live.update(Group(_table(self._study), Text(summary(self._study, self._deadline))), refresh=True)

    def say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False)

    def end(self) -> None:
        if self._live is not None:
            self._live.stop()
        self._live = None


def summary(study: Study, deadline: float | None, now: float | None = None) -> str:
    """One line: trials by state, best so far, who stands at which rung, time left."""
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
    """Seconds until the last trial ends, judged by those that did; None while few have, or without a limit."""
    allowed = study.spec.budget.trials
    ended = [trial for trial in study.trials if trial.state.final]
    if allowed is None or len(ended) < 3:
        return None
    mean = sum(trial.seconds for trial in ended) / len(ended)
    return max(0, allowed - len(ended)) * mean / max(1, study.concurrency)


def describe(trial: Trial, study: Study) -> str:
    """The searched values of a config, short: `lr 3.1e-4, batch_size 8`."""
    return ", ".join(
        f"{name} {short(trial.config[name])}" for name in study.spec.space.searched if name in trial.config
    )


def _table(study: Study) -> Table:
    table = Table(box=None, pad_edge=False, expand=False)
    for heading in ("trial", "state", "epoch", study.objective.metric, "time", "config"):
        table.add_column(heading, no_wrap=heading != "config", overflow="ellipsis")
    running = study.running
    others = [t for t in reversed(study.trials) if t.state is not State.RUNNING][: max(0, _ROWS - len(running))]
    best = study.best
    for trial in [*running, *others]:
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
    return f"{trial.number:04d}" + (f" ({trial.baseline})" if trial.baseline else "")


def _value(trial: Trial, study: Study) -> str:
    value = trial.value(study.objective)
    epochs = "1 epoch" if trial.epochs == 1 else f"{trial.epochs} epochs"
    return f"no {study.objective.metric}" if value is None else f"{study.objective.metric} {value:.4f}, {epochs}"


def _best_of(study: Study) -> tuple[int, float] | None:
    best = study.best
    value = None if best is None else best.value(study.objective)
    return None if best is None or value is None else (best.number, value)
