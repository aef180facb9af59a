"""Shows a running study: as a live table in a terminal, as plain lines when piped, and in its run.log in any case."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console

from orchestrator.moment import until
from orchestrator.progress import Progress
from orchestrator.study.event import Event
from orchestrator.study.study import Study
from tune.lines import Lines
from tune.live_table import LiveTable
from tune.run_output import RunOutput
from tune.show import say
from tune.terminal import Terminal


def build_progress(console: Console) -> Progress:
    """Chooses how a study is shown on this console."""
    return LiveTable(console) if console.is_terminal else Lines(console)


class RunView:
    """Shows a study where standard output leads, for as long as it leads anywhere, and writes lines to its log."""

    def __init__(self, output: RunOutput, console: Console, *, deadline_is_told: bool = True) -> None:
        """Begins. deadline_is_told: whether the user has been told already when the session ends."""
        self._output = output
        self._deadline_is_told = deadline_is_told
        self._seen: Progress | None = build_progress(console)
        self._ended = False
        file: Any = output.log  # It has all that a console needs.
        self._log = Lines(Terminal(file=file, force_terminal=False, markup=False, emoji=False))

    def begin(self, study: Study, deadline: float | None) -> None:
        """Shows the study from now on. deadline: unix time, None without one."""
        self._output.begin_log()
        for view in self._views:
            view.begin(study, deadline)
        if deadline is not None and not self._deadline_is_told:
            self._deadline_is_told = True
            self.say(f"{study.spec.study}: the hours of its budget last {until(deadline, time.time())}")

    def event(self, event: Event) -> None:
        """Shows what happened to a trial."""
        for view in self._views:
            view.event(event)

    def tick(self) -> None:
        """Shows that time passes."""
        for view in self._views:
            view.tick()

    def say(self, line: str) -> None:
        """Shows a line."""
        for view in self._views:
            view.say(line)

    def announce(self, line: str) -> None:
        """Prints a line from before the study is shown: as it is, since nothing of it is in a table or a log yet."""
        say(line)
        self._log.say(line)

    def end(self) -> None:
        """Ends what repaints itself; what is printed from now on goes to the log as well."""
        for view in self._views:
            view.end()
        self._ended = True
        self._output.end_of_views()

    @property
    def _views(self) -> list[Progress]:
        """Returns those that somebody can see. Standard output is none any more once it leads to the log.

        At the end it has a copy there.
        """
        if self._seen is not None and not self._output.is_seen:
            self._seen.end()
            self._seen = None
        if self._seen is None:
            return [self._log]
        return [self._seen] if self._ended else [self._seen, self._log]
