"""Defines what a policy decides: which config is next, which paused trial goes on, who stops, who is let go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from orchestrator.trial import Report, Trial

HORIZON = 1000  # epochs: longer than any trial's first milestone lies from its start


class Decision(StrEnum):
    """Names what follows from a report for its trial."""

    CONTINUE = "continue"
    PRUNE = "prune"  # final: the trial is weak
    PAUSE = "pause"  # the trial keeps its newest checkpoint and goes on when the policy says so


@dataclass(frozen=True)
class New:
    """Starts a trial with this config. until: the epoch at which the policy decides again; None: its last one."""

    config: dict[str, Any]
    until: int | None = None


@dataclass(frozen=True)
class GoOn:
    """Lets this trial, which the policy has paused, go on. until: as in New."""

    number: int
    until: int | None = None


@dataclass(frozen=True)
class Wait:
    """Starts nothing before a running trial has reported."""


@dataclass(frozen=True)
class Done:
    """Starts nothing more, whatever the running trials report: the space, or what `new` allowed, is used up.

    reason: one line for the user where it is not the budget that ends the search.
    """

    reason: str | None = None


Move = New | GoOn | Wait | Done


class Policy(Protocol):
    """Decides a search. Its state is a pure function of the ledger: replaying all reports through `after` rebuilds it.


    metric: the one that trials are compared by.

    `next` is computed on another thread than `after` and `close`, because a model may take seconds to fit: the two
    sides share no state that they change.
    """

    metric: str

    def next(self, trials: Sequence[Trial], running: Collection[int], *, new: bool) -> Move:
        """Returns what a free worker does now.

        trials: all of the search, by number; from one call to the next the tuple only grows at its end, while the
        trials in it may have changed. running: the numbers of those that run. new: whether another trial is allowed.
        GoOn may name only trials whose `paused_by` is the policy; those that the session paused go on by themselves.
        """

    def after(self, trial: Trial, report: Report) -> Decision:
        """Returns what follows from `report`, the newest of `trial`. Cheap: it is called for every report.

        The metric is finite. A report of an epoch that was reported before takes the place of the earlier one.
        """

    def reason(self, decision: Decision, report: Report) -> str:
        """Returns one line for the user: why a trial was pruned or paused after `report`."""

    def close(self, trials: Sequence[Trial]) -> Mapping[int, str]:
        """Returns the trials paused by the policy that are never to go on, each with the reason, one line."""

    def milestones(self, epochs: int) -> list[int]:
        """Returns the epochs, ascending and before the last one, at which a trial of `epochs` epochs is judged."""

    def expected_epochs(self, trials: int, epochs: int) -> float:
        """Returns the epochs that so many trials of at most `epochs` epochs will take in all."""
