"""Trials that failed alike, or whose curves show the same symptom, stand together in a report."""

from __future__ import annotations

import pytest

from orchestrator.trial import Objective, Report, State, Trial
from reports.numbers.search_quality import failures
from reports.numbers.symptoms import Kind, symptoms_of
from reports.pages.failures_and_symptoms import failure_group, symptom_group
from reports.words import Words

ACCURACY = Objective("val/acc", "max")


def trial(number: int, losses: list[float], scores: list[float]) -> Trial:
    reports = tuple(
        Report(epoch, {"train/loss": loss, "val/acc": score, "lr": 1e-3}, 1.0, float(epoch))
        for epoch, (loss, score) in enumerate(zip(losses, scores, strict=True), start=1)
    )
    return Trial(number, {}, State.COMPLETED, reports=reports)


STUCK = [trial(n, [3.0, 2.6, 2.2, 1.8, 1.4, 1.0, 0.6, 0.2], [0.01] * 8) for n in (2, 5)]
BROKEN = trial(3, [2.9] * 8, [0.0] * 8)
HEALTHY = trial(1, [3.0, 2.6, 2.2, 1.8, 1.4, 1.0, 0.6, 0.2], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])


def test_trials_are_grouped_by_symptom_the_most_frequent_first():
    found = symptoms_of([HEALTHY, BROKEN, *STUCK], ACCURACY)
    assert [(each.kind, [t.number for t in each.trials]) for each in found] == [
        (Kind.STUCK, [2, 5]),
        (Kind.LABELS, [3]),
    ]


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("kind", list(Kind))
def test_every_symptom_has_words_in_every_language(lang: str, kind: Kind):
    [group] = symptoms_of(STUCK, ACCURACY)
    names = ("early", "late", "score", "peak", "epoch", "share", "best")
    everything = type(group)(kind, type(group.first)(kind, dict.fromkeys(names, 0.02)), group.trials)
    told = symptom_group(everything, Words(lang))
    assert told.title and told.about and "{" not in told.about
    assert "2, 5" in told.trials


def test_the_numbers_of_the_first_trial_stand_for_all():
    [group] = symptoms_of(STUCK, ACCURACY)
    about = symptom_group(group, Words("en")).about
    assert about.startswith("Trial 2: train/loss fell from 2.2 to 0.4, but the score never left 0.01.")


def test_a_failure_shows_the_end_of_its_traceback_without_control_characters():
    error = "\n".join([f"line {n}" for n in range(40)] + ["ValueError: \x1b[31mred"])
    failed = Trial(7, {}, State.FAILED, reason="exception: ValueError: red", error=error)
    [group] = failures([failed])
    told = failure_group(group, Words("en"))
    assert told.title == "exception: ValueError: red"
    assert told.traceback.splitlines()[0] == "…"
    assert told.traceback.splitlines()[-1] == "ValueError:  [31mred"
