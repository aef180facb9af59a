"""Words what went wrong: trials that failed alike, and trials whose curves show the same symptom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.step import Step
from orchestrator.trial import Trial
from reports.numbers.quantity import Quantity
from reports.numbers.search_quality import Failures
from reports.numbers.symptoms import Symptoms
from reports.words import Words, one_line

_TRACEBACK_LINES = 14  # The last lines of a traceback tell most.
_NAMED = 20  # A group names at most so many trials.


@dataclass(frozen=True)
class TrialGroup:
    """Shows the trials that failed alike, or that share a symptom.

    title: of the failure or symptom. trials: how many they are, and their numbers. about: what it means here, and what
    to do. traceback: of the first trial.
    """

    title: str
    trials: str
    about: str = ""
    traceback_title: str = ""
    traceback: str = ""


def failure_group(group: Failures, words: Words) -> TrialGroup:
    """Words a group of trials that failed alike."""
    first = group.trials[0]
    return TrialGroup(
        title=one_line(group.reason) or words("failures.no_reason"),
        trials=_named(group.trials, words),
        traceback_title=words("failures.traceback", trial=first.number),
        traceback=_end_of(first.error),
    )


def step_group(step: Step, words: Words) -> TrialGroup:
    """Words why a trial could not be scored on the test split."""
    return TrialGroup(
        title=one_line(step.reason or "") or words("failures.no_reason"),
        trials=words("failures.scoring", trial=step.trial, epoch=step.epoch),
        traceback_title=words("failures.traceback", trial=step.trial),
        traceback=_end_of(step.error),
    )


def _end_of(error: str | None) -> str:
    lines = (error or "").rstrip().splitlines()
    text = "\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines[-_TRACEBACK_LINES:])
    return ("…\n" if len(lines) > _TRACEBACK_LINES else "") + text


def symptom_group(group: Symptoms, words: Words) -> TrialGroup:
    """Words a group of trials that share a symptom."""
    key = group.first.key
    return TrialGroup(
        title=words(f"symptoms.{group.kind.name.lower()}"),
        trials=_named(group.trials, words),
        about=words(f"symptoms.{key}_about", trial=group.trials[0].number, **_shown(group.first.numbers)),
    )


def _shown(numbers: Mapping[str, float]) -> dict[str, str]:
    """Writes the numbers that a symptom's sentence needs."""
    shown = {name: f"{value:.3g}" for name, value in numbers.items()}
    return shown | ({"share": f"{numbers['share']:.0%}"} if "share" in numbers else {})


def _named(trials: Sequence[Trial], words: Words) -> str:
    """Returns how many trials they are, with the numbers of the first _NAMED."""
    numbers = ", ".join(str(trial.number) for trial in trials[:_NAMED]) + (", …" if len(trials) > _NAMED else "")
    return words("failures.times", trials=Quantity("trials", len(trials)), numbers=numbers)
