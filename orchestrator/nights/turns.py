"""Decides whose turn it is in a night, and for how long. Pure functions: the clock and the past are given to them.

Every study has one turn a night, as long as its share says; whoever comes back early leaves its time to those that
follow. What is left after that goes whole to the study that is furthest behind its share, so that a study whose
epochs are longer than its part of a night gets on, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SHORTEST = 60.0  # seconds: a start, with its Ray and its data, would take most of less
FAIR = 900.0  # seconds that a turn has at least, where the night has them: the others come first in the next one


@dataclass(frozen=True)
class Waiting:
    """Describes a study of the queue, as far as turns depend on it.

    open: whether it may have a turn in this night still. busy: whether another process runs it now. turns: that it has
    had in this night. early: whether it came back from the last one before its end, because no more would fit. behind:
    the smaller, the more time it is owed; seconds per share over the nights.
    """

    key: str
    share: float
    open: bool = True
    busy: bool = False
    turns: int = 0
    early: bool = False
    behind: float = 0.0


@dataclass(frozen=True)
class Turn:
    """Lets a study run until a unix time."""

    key: str
    until: float


@dataclass(frozen=True)
class Wait:
    """Lets nobody run for now: whoever may is run by another process."""


@dataclass(frozen=True)
class Over:
    """Ends the night, with the reason."""

    why: str


def next_turn(queue: Sequence[Waiting], now: float, end: float) -> Turn | Wait | Over:
    """Returns what comes next. now: unix time. end: of the night."""
    candidates = [study for study in queue if study.open]
    if not candidates:
        return Over("every study of the queue has had what it can have tonight")
    rest = end - now
    if rest < SHORTEST:
        return Over("the window ended")
    free = [study for study in candidates if not study.busy]
    pending = [study for study in candidates if not study.turns]  # One that is busy now has its turn later.
    may = [study for study in free if not study.turns] or [study for study in free if not (study.early and pending)]
    if not may:
        return Wait()
    chosen = min(may, key=lambda study: study.behind)
    others = sum(study.share for study in pending if study is not chosen)
    length = max(rest * chosen.share / (chosen.share + others), FAIR) if others else rest
    return Turn(chosen.key, end if rest - length < SHORTEST else now + length)


def levelled(behind: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Returns how far behind each study is, counted from the one that is owed most, for the next night.

    Only differences count. So a study that joins the queue later begins with those that are owed most, and is owed
    nothing for the nights before.
    """
    found = dict(behind)
    least = min(found.values(), default=0.0)
    return {key: value - least for key, value in found.items()}
