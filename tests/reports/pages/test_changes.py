"""A report says what was not as planned from the start, and leaves out what does not count."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.home import Home
from orchestrator.ledger import Ledger
from orchestrator.trial import Extension, Objective, Report, State
from reports.numbers.comparison import compare
from reports.numbers.study_view import view
from reports.numbers.verdict import verdict
from reports.pages.changes import changes
from reports.report import write_report
from reports.words import NO_BREAK, Words, languages
from tests.reports.demo_study import demo_trials, demo_view


def test_a_study_that_went_as_planned_says_nothing_of_it(tmp_path: Path):
    assert list(changes(demo_view(tmp_path), Words("en"))) == []


def test_trials_that_are_left_out_are_in_no_number_and_their_reason_is_told(tmp_path: Path):
    trials = demo_trials()
    best = compare(demo_view(tmp_path, trials=trials)).best
    assert best is not None
    left = replace(best.trial, left_out="`lr` must be a number from 0.001 to 0.1, but is 0.00045")
    counted = [trial for trial in trials if trial.number != left.number]
    seen = demo_view(tmp_path, trials=counted, left_out=(left,))
    [line] = [line.replace(NO_BREAK, " ") for line in changes(seen, Words("en"))]
    assert line.startswith("1 trial outside the space as it is now") and f": {left.number}. `lr` must be" in line
    page = write_report(seen, tmp_path / "report")
    content = json.loads((page.parent / "report.json").read_text())["studies"][0]
    assert content["best"] != left.number
    assert left.number not in [trial["number"] for trial in content["trials"]]
    assert content["left_out"] == [{"number": left.number, "reason": left.left_out}]
    for name in ("report.html", "report.md"):
        assert "Not as planned from the start" in (page.parent / name).read_text()


def test_a_best_trial_that_was_extended_is_told_beside_the_verdict(tmp_path: Path):
    trials = demo_trials()
    best = compare(demo_view(tmp_path, trials=trials)).best
    assert best is not None
    trials = [
        replace(t, extended=(Extension(8, 8, 12), Extension(12, 12, 16))) if t.number == best.number else t
        for t in trials
    ]
    seen = demo_view(tmp_path, trials=trials)
    said = [sentence for sentence in verdict(compare(seen)).support if sentence.key == "verdict.best_extended"]
    assert [sentence.values for sentence in said] == [{"trial": str(best.number), "before": "8", "after": "16"}]
    lines = list(changes(seen, Words("en")))
    assert [line.replace(NO_BREAK, " ").partition(":")[0] for line in lines] == [
        "1 trial extended from 8 to 12 epochs",
        "1 trial extended from 12 to 16 epochs",
    ]


@pytest.mark.parametrize("lang", languages())
def test_the_changes_of_a_file_and_configs_of_others_are_told_in_every_language(tmp_path: Path, lang: str):
    trials = [replace(demo_trials()[0], origin="plates/7")]
    facts = {"changes": [{"at": 1.76e9, "was": {"space": {}}}, {"at": 1.77e9, "was": {}}]}
    lines = list(changes(demo_view(tmp_path, trials=trials, facts=facts), Words(lang)))
    assert len(lines) == 3
    assert "(space)" in lines[0] and "1 (plates/7)" in lines[2]


def test_a_view_of_the_ledger_knows_what_counts(tmp_path: Path):
    home = Home.at(tmp_path)
    ledger = Ledger(home.ledger)
    raw = {"study": "toy", "trainable": "tests.toy", "space": {"lr": {"low": 0.1, "high": 0.2}}}
    study = ledger.create_study("toy", raw, Objective("val/score", "max"), {}).id
    for lr in (0.1, 0.9):
        number = ledger.add_trial(study, {"lr": lr}).number
        ledger.record(study, number, Report(1, {"val/score": lr}, 1.0, 0.0))
        ledger.finish(study, number, State.COMPLETED)
    ledger.revise(study, raw=raw, facts={}, left_out={2: "why"}, extended={})
    seen = view(ledger.study("toy"), ledger.trials(study), home.path)
    assert ([t.number for t in seen.trials], [t.number for t in seen.left_out]) == ([1], [2])
