"""Says how much a study may do: trials, hours, GPU-hours, a time of day; and whether it has what it was to find."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import InputMistake
from orchestrator.ledger import StudyRow
from orchestrator.study_file.sections import BudgetSpec
from orchestrator.time_of_day import moment_of
from orchestrator.trial import Objective, State, Trial, best_trial

_JUST_NOW = 60.0  # seconds: a moment that passed while the command started is no mistake of whoever typed it


@dataclass(frozen=True)
class Limits:
    """Holds what the command line asks of this session, on top of the file's budget."""

    trials: int | None = None  # in all
    more_trials: int | None = None  # on top of those in the ledger
    hours: float | None = None  # from now
    until: str | None = None  # "07:00", or with a date

    @staticmethod
    def parse(trials: str | None, hours: float | None, until: str | None) -> Limits:
        """Reads the words of the command line: trials is N or +N. Raises InputMistake."""
        if trials is not None and re.fullmatch(r"\+?\d{1,6}", trials) is None:
            raise InputMistake(f"--trials: must be a whole number N, or +N for N more, but got {trials!r}")
        if until is not None:
            try:
                moment = moment_of(until, time.time())
            except ValueError as error:
                raise InputMistake(f"--until: {error}") from error
            if moment < time.time() - _JUST_NOW:
                raise InputMistake(f"--until: must be a moment to come, but got {until!r}")
        more = trials is not None and trials.startswith("+")
        number = None if trials is None else int(trials)
        return Limits(None if more else number, number if more else None, hours, until)


@dataclass(frozen=True)
class Deadline:
    """Says when a session must end: when a steady clock shows `ends`, or the wall clock `until`. Unix times."""

    ends: float = math.inf
    until: float = math.inf

    def left(self, now: float, wall: float) -> float:
        """Returns the seconds until the earlier one, infinite without any. now, wall: what the two clocks show."""
        return min(self.ends - now, self.until - wall)


def deadline(
    now: float, wall: float, *, hours_in_all: float | None, seconds_used: float, hours: float | None, until: str | None
) -> Deadline:
    """Returns when a session ends that starts now.

    now: the steady clock's. wall: the other's. hours_in_all: the file's budget, over all sessions, of which
    seconds_used are gone. hours, until: this session's.
    """
    limits = [] if hours_in_all is None else [max(0.0, hours_in_all * 3600 - seconds_used)]
    limits += [] if hours is None else [hours * 3600]
    return Deadline(now + min(limits, default=math.inf), math.inf if until is None else moment_of(until, wall))


def over(budget: BudgetSpec, objective: Objective, best: Trial, trials_since_best: int) -> str | None:
    """Returns why the search has what it was to find, or will not find it; None while it is to go on."""
    value = best.value(objective)
    if value is None:
        return None
    if budget.target is not None and not objective.better(budget.target, value):
        return f"the target was reached: {objective.metric} {value:.4g}"
    if budget.patience is not None and trials_since_best >= budget.patience:
        return f"{trials_since_best} trials ended since {objective.metric} last improved"
    return None


def trials_since_best(trials: Iterable[Trial], best: Trial, objective: Objective) -> int:
    """Returns how many trials completed or were pruned, their last report after the first one with the best value."""
    since = best.best_since(objective)
    if since is None:
        return 0
    ended = (t for t in trials if t.state in (State.COMPLETED, State.PRUNED) and t.number != best.number)
    return sum(t.reports[-1].at > since for t in ended if t.reports)


class Allowance:
    """Knows what is left of the session's time and of the study's GPU-hours (of every attempt: its time x its GPUs)."""

    def __init__(self, gpu_hours: float | None, used: float, now: Callable[[], float]) -> None:
        """Begins. gpu_hours: None without a limit. used: GPU-seconds of all attempts that have ended. now: a clock that
        nothing sets."""
        self.ends = math.inf  # the session's deadline, by the same clock as `now`
        self.gpus = 0.0  # that each trial takes
        self._gpu_hours = gpu_hours
        self._used = used
        self._now = now
        self._running: dict[Hashable, float] = {}  # trial, or attempt at a step -> the clock's time at its start

    def start(self, attempt: Hashable) -> None:
        self._running[attempt] = self._now()

    def end(self, attempt: Hashable) -> None:
        started = self._running.pop(attempt, None)
        if started is not None:
            self._used += max(0.0, self._now() - started) * self.gpus

    @property
    def gpu_seconds(self) -> float:
        """Returns the GPU-seconds used so far, by what runs too."""
        now = self._now()
        return self._used + sum(max(0.0, now - started) for started in self._running.values()) * self.gpus

    @property
    def used_up(self) -> str | None:
        """Returns why nothing may run any longer; None while it may."""
        if self._gpu_hours is None or self.gpu_seconds < 3600 * self._gpu_hours:
            return None
        return f"the {self._gpu_hours:g} GPU-hours of the budget are used up"

    @property
    def seconds(self) -> float:
        """Returns the seconds that one trial more would have, until the deadline or the end of the GPU-hours."""
        left = self.ends - self._now()
        if self._gpu_hours is not None and self.gpus:
            left = min(left, (3600 * self._gpu_hours - self.gpu_seconds) / (self.gpus * (len(self._running) + 1)))
        return left


def used_of(row: StudyRow, trials: list[Trial], gpu_seconds: float) -> dict[str, Any]:
    """Returns what is used: trials, hours, gpu_hours, trials_since_best. gpu_seconds: of all attempts."""
    best = best_trial(trials, row.objective)
    counted = [trial for trial in trials if trial.counts]
    return {
        "trials": len(counted),
        "hours": round(row.seconds / 3600, 3),
        "gpu_hours": round(gpu_seconds / 3600, 3),
        "trials_since_best": 0 if best is None else trials_since_best(counted, best, row.objective),
    }
