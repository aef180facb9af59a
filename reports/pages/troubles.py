"""What went wrong, worded: trials that failed alike, and trials whose curves show the same symptom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.trial import Trial
from reports.numbers.quantity import Quantity
from reports.numbers.search_quality import Failures
from reports.numbers.symptoms import Symptoms
from reports.words import Words, one_line

_TRACEBACK_LINES = 14
_NAMED = 20  # trials named at most


@dataclass(frozen=True)
class Trouble:
    """title: of the failure or symptom. about: what it means here, and what to do. traceback: of the first trial."""

    title: str
    trials: str
    about: str = ""
    traceback_title: str = ""
    traceback: str = ""


def failure_trouble(group: Failures, words: Words) -> Trouble:
    first = group.trials[0]
    lines = (first.error or "").rstrip().splitlines()
    text = "\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines[-_TRACEBACK_LINES:])
    return Trouble(
        title=one_line(group.reason) or words("failures.no_reason"),
        trials=_named(group.trials, words),
        traceback_title=words("failures.traceback", trial=first.number),
        traceback=("…\n" if len(lines) > _TRACEBACK_LINES else "") + text,
    )


def symptom_trouble(group: Symptoms, words: Words) -> Trouble:
    key = group.first.key
    return Trouble(
        title=words(f"symptoms.{group.kind.name.lower()}"),
        trials=_named(group.trials, words),
        about=words(f"symptoms.{key}_about", trial=group.trials[0].number, **_shown(group.first.numbers)),
    )


def _shown(numbers: Mapping[str, float]) -> dict[str, str]:
    shown = {name: f"{value:.3g}" for name, value in numbers.items()}
    return shown | ({"share": f"{numbers['share']:.0%}"} if "share" in numbers else {})


def _named(trials: Sequence[Trial], words: Words) -> str:
    numbers = ", ".join(str(trial.number) for trial in trials[:_NAMED]) + (", …" if len(trials) > _NAMED else "")
    return words("failures.times", trials=Quantity("trials", len(trials)), numbers=numbers)
