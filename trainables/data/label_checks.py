"""Checks the labelled pictures of any task: can they be read, and does one stand in two splits?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from trainables.data.look import Look, P
from trainables.trainable import Finding

NAMED = 5  # of the mistakes of one kind; the others are counted
SKIPPED_SHARE = 0.2  # of the pictures; where more are left out, it is not the pictures that are wrong


@dataclass(frozen=True)
class Problem:
    """Says what is wrong and what to do, and names its kind in snake_case, the same for every study."""

    kind: str
    text: str


def findings_of(check: str, detail: str, problems: Sequence[Problem | None]) -> list[Finding]:
    """Returns a finding for each problem; one without a problem where there are none (None stands for none)."""
    found = [problem for problem in problems if problem is not None]
    if not found:
        return [Finding(check, detail)]
    return [Finding(check, detail, problem.text, kind=problem.kind) for problem in found]


def blocks(finding: Finding, data: Mapping[str, Any]) -> bool:
    """Returns whether the finding has a problem that the user has not accepted in `data.accept`."""
    return finding.problem is not None and finding.kind not in (data.get("accept") or ())


def judge_unreadable(looks: Sequence[Look[P]], *, skip: bool) -> tuple[str, Problem | None]:
    """Returns what to tell of the pictures that cannot be read, "" for none, and what is wrong with that.

    skip: they are left out, which is wrong only where there are many.
    """
    mistakes = [look.mistake for look in looks if look.mistake is not None]
    if not mistakes:
        return "", None
    if not skip:
        return "", Problem("unreadable_pictures", f"{name_first(mistakes)}; or leave them out with `data.on_bad: skip`")
    told = f"{len(mistakes)} of {len(looks)} left out, because they cannot be read: {name_first(mistakes)}"
    if len(mistakes) > SKIPPED_SHARE * len(looks):
        return told, Problem("many_pictures_skipped", f"{told}; is data.root right?")
    return told, None


@dataclass(frozen=True)
class Twins(Generic[P]):
    """Holds the groups of looks at the same picture, the leaks between splits among them, and says what they are."""

    groups: Sequence[Sequence[Look[P]]]

    @classmethod
    def among(cls, looks: Sequence[Look[P]]) -> Twins[P]:
        """Compares the pixels of all pictures that can be read."""
        alike: dict[str, list[Look[P]]] = defaultdict(list)
        for look in looks:
            if look.seen is not None:
                alike[look.seen.pixels].append(look)
        return cls([group for group in alike.values() if len(group) > 1])

    @property
    def leaks(self) -> list[Sequence[Look[P]]]:
        """Returns the groups that stand in several splits."""
        return [group for group in self.groups if len({look.split for look in group}) > 1]

    @property
    def detail(self) -> str:
        """Says how many pictures recur, and how many of them in several splits."""
        return f"{len(self.groups)} pictures are there more than once, {len(self.leaks)} of them in several splits"

    @property
    def problem(self) -> Problem | None:
        """Says which pictures are learnt and scored as well, and what to do; None where there are none."""
        if not self.leaks:
            return None
        named = [" = ".join(f"{look.example.name} ({look.split})" for look in group[:3]) for group in self.leaks]
        return Problem(
            "same_picture_in_splits", f"the same picture is learnt and scored: {name_first(named)}; keep one of each"
        )


def name_first(mistakes: Sequence[str], between: str = "; ") -> str:
    """Joins the first NAMED mistakes and the number of the others; an empty text where there are none."""
    more = f"{between}and {len(mistakes) - NAMED} more" if len(mistakes) > NAMED else ""
    return between.join(mistakes[:NAMED]) + more
