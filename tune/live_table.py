"""Shows a running study as a live table in a terminal."""

from __future__ import annotations

import time

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.mistake import duration
from orchestrator.study.event import Event
from orchestrator.study.study import Study
from orchestrator.trial import State
from tune.clock import Clock
from tune.standing import describe, name_of, step_lines, summary

_COLOURS = {
    State.RUNNING: "cyan",
    State.PAUSED: "yellow",
    State.COMPLETED: "green",
    State.PRUNED: "dim",
    State.FAILED: "red",
}
_ROWS = 12  # The table shows all running trials, then the newest others, up to so many; fewer in a low terminal.
_BESIDE = 7  # lines of a terminal that stay free for the heading, the summary and what was said last


class LiveTable:
    """Shows a table that repaints itself at most every `interval` seconds, with what was said above it."""

    def __init__(self, console: Console, interval: float = 0.5) -> None:
        self._console = console
        self._interval = interval
        self._live: Live | None = None
        self._study: Study | None = None
        self._deadline: float | None = None
        self._painted = 0.0
        self._clock = Clock()

    def begin(self, study: Study, deadline: float | None) -> None:
        """Shows the study from now on. deadline: unix time, None without one."""
        self._study, self._deadline = study, deadline
        if self._live is None:  # A study that goes on on another cluster begins again, and keeps its table.
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()

    def event(self, event: Event) -> None:
        """Says why a trial failed or is tried again, and what a step does; the table shows the rest."""
        self._clock.event(event)
        if event.step is not None and self._study is not None:
            for line in step_lines(event, event.step, self._study):
                self.say(line)
        elif event.kind in ("failed", "retried"):
            self.say(f"{name_of(event.trial)}  {event.kind}: {event.trial.reason}")

    def tick(self) -> None:
        """Repaints the table, unless it has just been painted, or the terminal stands still."""
        if self._live is None or self._study is None or time.monotonic() - self._painted < self._interval:
            return
        if getattr(self._console.file, "behind", False):
            return
        self._painted = time.monotonic()
        table = _table(self._study, self._console.height - _BESIDE, self._clock)
        told = Text(summary(self._study, self._deadline, clock=self._clock))
        self._live.update(Group(table, told), refresh=True)

    def say(self, line: str) -> None:
        """Prints a line above the table."""
        self._console.print(line, highlight=False, markup=False)

    def end(self) -> None:
        """Takes the table away; what was said stays."""
        if self._live is not None:
            self._live.stop()
        self._live = None


def _table(study: Study, height: int, clock: Clock) -> Table:
    """Lists at most `height` trials: the running ones, then the newest others. Has steps where one is known."""
    running = study.running
    others = [t for t in reversed(study.trials) if t.state is not State.RUNNING][: max(0, _ROWS - len(running))]
    shown = [*running, *others][: max(1, height)]
    steps = {trial.number: clock.step(trial, study) for trial in shown}
    any_step = any(steps.values())
    table = Table(box=None, pad_edge=False, expand=False)
    headings = ["trial", "state", "epoch", "step", study.objective.metric, "time", "config"]
    for heading in headings if any_step else [each for each in headings if each != "step"]:
        table.add_column(heading, no_wrap=heading != "config", overflow="ellipsis")
    best = study.best
    for trial in shown:
        style = "bold" if best is not None and trial.number == best.number else _COLOURS[trial.state]
        mark = " *" if best is not None and trial.number == best.number else ""
        value = trial.value(study.objective)
        table.add_row(
            Text(name_of(trial) + mark),
            trial.state.value,
            clock.epochs(trial, study),
            *([str(steps[trial.number] or "")] if any_step else []),
            "" if value is None else f"{value:.4f}",
            duration(clock.seconds(trial)),
            Text(describe(trial, study), no_wrap=True),
            style=style,
        )
    return table
