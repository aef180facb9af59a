"""Says beforehand what a start makes of the trials there are: who counts, who goes on, how many are new, the cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.ledger import StudyRow
from orchestrator.mistake import duration
from orchestrator.policies.build import build_policy
from orchestrator.space.membership import limit_of
from orchestrator.study.continuation import Revision, newly_left_out, news, revision
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.trial import Role, Trial


@dataclass(frozen=True)
class Outlook:
    """Counts the trials of a search as the next start sees them.

    counting: that lie in the space. going_on: of those, unfinished or extended. new: that will begin; None where no
    number limits them. epochs, seconds: of all that is to come, by what an epoch has taken so far; None if not known.
    changes: what the changed file means for the trials there are, a line each.
    """

    counting: int
    going_on: int
    new: int | None
    lost: int  # trials that counted before the file was changed
    epochs: int | None
    seconds: float | None
    changes: tuple[str, ...]

    @property
    def is_done(self) -> bool:
        """Returns whether nothing is left to run."""
        return self.new == 0 and not self.going_on

    @property
    def plan(self) -> str:
        """Says in one line what will run."""
        if self.is_done:
            return f"{self.counting} trial{'s' * (self.counting != 1)} count and are done; nothing new starts"
        starts = "new ones until another limit" if self.new is None else f"{self.new} new one{'s' * (self.new != 1)}"
        parts = [f"{self.counting} trial{'s' * (self.counting != 1)} count, {self.going_on} of them to go on", starts]
        cost = ""
        if self.epochs is not None and self.seconds is not None:
            cost = f": about {self.epochs} epochs, {duration(self.seconds)} on one worker"
        return f"{parts[0]}, and {parts[1]} will start{cost}"

    @property
    def warning(self) -> str | None:
        """Says that a changed space makes trials begin in the place of those that were done; None if it does not."""
        if not self.lost or self.new == 0:
            return None
        many = "new trials" if self.new is None else f"{self.new} new trial{'s' * (self.new != 1)}"
        return (
            f"{many} will start, because {self.lost} of those there are count no more; to keep them, put the space "
            "back or lower budget.trials; to keep both, give the changed study another --name"
        )


def outlook(
    row: StudyRow, spec: StudySpec, trials: Sequence[Trial], defaults: Mapping[str, Any], wanted: int | None
) -> Outlook:
    """Returns what a start with the file of `spec` would do. wanted: trials in all; None: no number limits them."""
    found = revision(row.raw, spec, trials, defaults)
    searched = [trial for trial in trials if trial.role is Role.SEARCH]
    counting = [trial for trial in searched if trial.number not in found.left_out]
    open_ones = [trial for trial in counting if not trial.state.final or trial.number in found.extended]
    new = None if wanted is None else max(0, wanted - len(counting))
    if spec.space.size is not None:
        free = max(0, spec.space.size - len(counting))
        new = free if new is None else min(new, free)
    limit = limit_of(spec.space, defaults)
    epochs = _epochs(spec, limit, open_ones, new)
    done = sum(trial.epochs for trial in trials)
    each = sum(trial.seconds for trial in trials) / done if done else None
    return Outlook(
        counting=len(counting),
        going_on=len(open_ones),
        new=new,
        lost=sum(trial.counts for trial in searched if trial.number in found.left_out),
        epochs=epochs,
        seconds=None if epochs is None or each is None else epochs * each,
        changes=_changes(row, spec, trials, found),
    )


def _epochs(spec: StudySpec, limit: int | None, open_ones: Sequence[Trial], new: int | None) -> int | None:
    if limit is None or new is None:
        return None
    left = sum(max(0, limit - trial.epochs) for trial in open_ones)
    return math.ceil(left + (build_policy(spec).expected_epochs(new, limit) if new else 0))


def _changes(row: StudyRow, spec: StudySpec, trials: Sequence[Trial], found: Revision) -> tuple[str, ...]:
    """Lists what became of trials, and why the first of those that are left out is."""
    lines = news(row, spec, trials, found)
    fresh = newly_left_out(trials, found)
    if fresh:
        lines.append(f"{row.name}: trial {fresh[0]}: {found.left_out[fresh[0]]}")
    return tuple(lines)
