"""How fast the trials of a study are, as measured: what a start needs to bring something, when silence is a hang."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable

from orchestrator.job import Silence
from orchestrator.study_file.sections import FailuresSpec
from orchestrator.trial import Trial


class Pace:
    """Of a study whose trials meet their first rung after `grace_epochs` epochs."""

    def __init__(self, trials: Iterable[Trial], grace_epochs: int) -> None:
        self._grace_epochs = grace_epochs
        self._first: list[float] = []  # seconds of first epochs, start-up included, ascending
        self._rung: list[float] = []  # seconds until the first rung, ascending
        for trial in trials:
            for epoch in {1, grace_epochs}:
                self._note(trial, epoch)

    def reported(self, trial: Trial) -> None:
        """Its newest report came."""
        self._note(trial, trial.epochs)

    def seconds_needed(self, trial: Trial | None) -> float:
        """What a start brings nothing without: a trial that goes on needs an epoch, as long as its longest; a new one
        (None, or without a report) needs its first rung, as long as the median. 0 while nothing is known."""
        if trial is not None and trial.reports:
            return max(report.seconds for report in trial.reports)
        if self._rung:
            return _median(self._rung)
        return _median(self._first) * self._grace_epochs if self._first else 0.0

    def silence(self, trial: Trial, policy: FailuresSpec) -> Silence:
        """How long an attempt of this trial may take until its first report, and what follows for the next ones."""
        longest = max((report.seconds for report in trial.reports), default=0.0)
        usual = policy.hang_factor * max([longest, *self._first[-1:]])
        limit = max(60 * policy.first_report_minutes, usual)
        return Silence(limit, longest, policy.hang_factor, 60 * policy.hang_minutes)

    def _note(self, trial: Trial, epoch: int) -> None:
        if len(trial.reports) < epoch:
            return
        if epoch == 1:
            insort(self._first, trial.reports[0].seconds)
        if epoch == self._grace_epochs:
            insort(self._rung, sum(report.seconds for report in trial.reports[:epoch]))


def _median(values: list[float]) -> float:
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
