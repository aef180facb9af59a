"""Measures how fast trials are: what a start needs to bring something, and when silence is a hang."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable

from orchestrator.job import Silence
from orchestrator.study_file.sections import FailuresSpec
from orchestrator.trial import Trial


class Pace:
    """Knows how long epochs and first milestones take. milestone: the epoch at which every trial is judged first."""

    def __init__(self, trials: Iterable[Trial], milestone: int) -> None:
        self._milestone = milestone
        self._first: list[float] = []  # seconds of first epochs, start-up included, ascending
        self._judged: list[float] = []  # seconds until the first milestone, ascending
        for trial in trials:
            for epoch in {1, milestone}:
                self._note(trial, epoch)

    def reported(self, trial: Trial) -> None:
        """Notes the newest report of a trial."""
        self._note(trial, trial.epochs)

    def seconds_needed(self, trial: Trial | None, until: int | None = None) -> float:
        """Returns the seconds below which a start brings nothing; 0 while nothing is known.

        A trial that goes on needs its epochs to `until` (None: one), each as long as its longest. A new one (None, or
        without a report) needs as long as the median to `until` (None: its first milestone).
        """
        if trial is not None and trial.reports:
            epochs = 1 if until is None else max(1, until - trial.epochs)
            return epochs * max(report.seconds for report in trial.reports)
        if self._judged and until in (None, self._milestone):
            return _median(self._judged)
        return _median(self._first) * (until or self._milestone) if self._first else 0.0

    def silence(self, trial: Trial, policy: FailuresSpec) -> Silence:
        """Returns how long an attempt of this trial may take until its first report, and what holds for the next."""
        longest = max((report.seconds for report in trial.reports), default=0.0)
        usual = policy.hang_factor * max([longest, *self._first[-1:]])
        limit = max(60 * policy.first_report_minutes, usual)
        return Silence(limit, longest, policy.hang_factor, 60 * policy.hang_minutes)

    def _note(self, trial: Trial, epoch: int) -> None:
        if len(trial.reports) < epoch:
            return
        if epoch == 1:
            insort(self._first, trial.reports[0].seconds)
        if epoch == self._milestone:
            insort(self._judged, sum(report.seconds for report in trial.reports[:epoch]))


def _median(values: list[float]) -> float:
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
