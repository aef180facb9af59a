"""Reads a study's reports again, in their order, and finds the trials that a crash left without a consequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.job import Failure
from orchestrator.policies.policy import Decision, Policy
from orchestrator.study.failures import failure_of
from orchestrator.study.trials import Trials
from orchestrator.trial import Report, State

Unsettled = Failure | tuple[Decision, Report] | None  # None: of a trial without a report


def unsettled(
    history: Iterable[tuple[int, int, Report]], trials: Trials, policy: Policy, required: set[str]
) -> Iterator[tuple[int, Unsettled]]:
    """Rebuilds the policy's state from all reports; yields each trial that ran when the last driver died.

    history: (sequence, number, report). required: the metrics that each report must have. Yields the trial's number
    with what follows from its last report.
    """
    last: dict[int, Unsettled] = {}
    for _, number, report in history:
        if number not in trials:  # It is left out.
            continue
        failure = failure_of(report, required)
        last[number] = failure or (policy.after(trials[number], report), report)
    for number in trials.unfinished:
        if trials[number].state is State.RUNNING:
            yield number, last.get(number)
