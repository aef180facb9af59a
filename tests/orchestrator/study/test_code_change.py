"""A study says by which code its trials were measured, when that changed, and goes on."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.home import Home
from orchestrator.ledger import Ledger
from orchestrator.study.code_change import CodeChange, changes_of, note_code, numbers, sentence
from orchestrator.study.continuation import open_study
from orchestrator.study_file.study_spec import parse_study
from orchestrator.trial import Report, State
from reports.numbers.study_view import view
from reports.pages.changes import changes
from reports.words import NO_BREAK, Words
from trainables import load_trainable
from tune.show import show_study

SOURCE = "def train(config, run):\n    yield {'val/acc': 1.0 * config['x']}\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Returns the file of a trainable `its_own`, which can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "its_own.py"
    file.write_text(SOURCE)
    importlib.invalidate_caches()
    yield file
    sys.modules.pop("its_own", None)


def test_an_edited_trainable_is_told_at_the_start_in_show_and_in_the_report(
    tmp_path: Path, module: Path, capsys: pytest.CaptureFixture[str]
):
    home, trainable = Home.at(tmp_path / "runs"), load_trainable("its_own:train")
    ledger = Ledger(home.ledger)
    raw = {
        "study": "own",
        "trainable": "its_own:train",
        "objective": {"metric": "val/acc", "mode": "max"},
        "space": {"x": {"low": 0.0, "high": 1.0}},
    }
    row = open_study(ledger, parse_study(raw, "own.yaml"), trainable, None, "own.yaml")
    assert note_code(ledger, row, trainable) == (row, [])

    ledger.add_trial(row.id, {"x": 0.1})
    module.write_text(SOURCE.replace("1.0", "0.9"))
    row, news = note_code(ledger, row, trainable)
    assert news == []  # No trial has a value yet.

    ledger.record(row.id, 1, Report(1, {"val/acc": 0.1}, 1.0, 10.0))
    ledger.finish(row.id, 1, State.COMPLETED)
    ledger.add_trial(row.id, {"x": 0.2})
    ledger.record(row.id, 2, Report(1, {"val/acc": 0.2}, 1.0, 20.0))
    ledger.add_trial(row.id, {"x": 0.3})
    ledger.record(row.id, 3, Report(1, {"val/acc": 0.3}, 1.0, 20.0))
    ledger.finish(row.id, 3, State.FAILED)
    module.write_text(SOURCE.replace("1.0", "0.5"))
    row, news = note_code(ledger, row, trainable)
    said = "the code is not what trials 1, 2 ran (its_own.py), and trial 2 goes on with the new code"
    begin_anew = "if their values must compare, put the code back, or begin anew with --fresh or another --name"
    assert news == [f"own: {said}; {begin_anew}"]
    assert note_code(ledger, row, trainable) == (row, [])

    trials = ledger.trials(row.id)
    show_study(row, trials, home)
    assert said in capsys.readouterr().out
    for language, words in (
        ("en", "had been measured by the code before: 1, 2"),
        ("ko", "코드로 측정한 시도 2개: 1, 2"),
    ):
        lines = [line.replace(NO_BREAK, " ") for line in changes(view(row, trials, home.path), Words(language))]
        assert len(lines) == 2 and "its_own.py" in lines[0] and words in lines[0]
    ledger.close()


def test_a_study_of_before_code_was_kept_begins_with_todays(tmp_path: Path, module: Path):
    trainable = load_trainable("its_own:train")
    ledger = Ledger(tmp_path / "ledger.db")
    raw = {"study": "old", "trainable": "its_own:train", "objective": {"metric": "a", "mode": "max"}, "space": {"x": 1}}
    row = ledger.create_study("old", raw, parse_study(raw, "").objective.objective, {"host": "here"})
    ledger.add_trial(row.id, {"x": 1})
    ledger.record(row.id, 1, Report(1, {"a": 0.1}, 1.0, 10.0))
    row, news = note_code(ledger, row, trainable)
    assert news == [] and changes_of(row.facts) == []
    assert row.facts["host"] == "here" and list(row.facts["code"]["files"]) == ["its_own.py"]
    ledger.close()


def test_many_files_and_trials_are_named_in_few_words():
    change = CodeChange(0.0, tuple(f"{n}.py" for n in range(7)), (1, 2, 3), ())
    assert sentence(change) == "the code is not what trials 1 to 3 ran (0.py, 1.py, 2.py, 3.py, 4.py and 2 more)"
    assert [numbers(found) for found in ([4], [4, 5], [1, 3], range(1, 41), [*range(1, 14), 20])] == [
        "trial 4",
        "trials 4, 5",
        "trials 1, 3",
        "trials 1 to 40",
        "trials 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ...",
    ]
