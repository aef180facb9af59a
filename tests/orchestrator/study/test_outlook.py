"""What a start says beforehand of the trials there are, and of what they will cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.ledger import Ledger
from orchestrator.study.outlook import outlook
from orchestrator.study_file.study_spec import StudySpec, parse_study
from orchestrator.trial import Report, State, Trial

DEFAULTS = {"lr": 0.01, "epochs": 9, "family": "a", "noise": 0.0}
SPACE = {"lr": {"low": 1e-4, "high": 1.0, "log": True}, "family": ["a", "b"], "epochs": 4}


def spec_of(**sections: Any) -> StudySpec:
    raw = {"study": "toy", "trainable": "tests.toy", "objective": {"metric": "val/score", "mode": "max"}}
    return parse_study(raw | {"space": SPACE, "scheduler": {"name": "none"}, "budget": {"trials": 9}} | sections, "f")


def trial(number: int, family: str, epochs: int = 4, state: State = State.COMPLETED) -> Trial:
    reports = tuple(Report(epoch, {"val/score": 0.5}, 90.0, 0.0, True) for epoch in range(1, epochs + 1))
    return Trial(number, {"lr": number / 100, "family": family, "epochs": 4}, state, reports=reports)


TRIALS = [trial(1, "a"), trial(2, "b"), trial(3, "b"), trial(4, "a", 1, State.PAUSED)]


@pytest.fixture
def row(tmp_path):
    spec = spec_of()
    return Ledger(tmp_path / "ledger.db").create_study("toy", spec.raw, spec.objective.objective, {})


def test_an_unchanged_file_goes_on_and_says_what_is_left(row):
    ahead = outlook(row, spec_of(), TRIALS, DEFAULTS, 9)
    assert (ahead.counting, ahead.going_on, ahead.new, ahead.lost) == (4, 1, 5, 0)
    assert (ahead.epochs, ahead.seconds) == (3 + 5 * 4, 23 * 90.0)
    assert (
        ahead.plan
        == "4 trials count, 1 of them to go on, and 5 new ones will start: about 23 epochs, 34 min 30 s on one worker"
    )
    assert ahead.warning is None and ahead.changes == ()


def test_a_name_removed_from_the_space_is_warned_of_before_new_trials_take_the_place_of_the_old(row):
    ahead = outlook(row, spec_of(space={"lr": SPACE["lr"], "epochs": 4}), TRIALS[:3], DEFAULTS, 3)
    assert (ahead.counting, ahead.lost, ahead.new) == (1, 2, 2)
    assert ahead.warning is not None and ahead.warning.startswith(
        "2 new trials will start, because 2 of those there are count no more; to keep them, put the space back"
    )
    assert "2 of 3 trials (2, 3) lie outside the space" in ahead.changes[0]
    assert "trial 2: `family` must be 'a', the trainable's own value" in ahead.changes[1]


def test_a_raised_limit_says_what_the_extension_costs(row):
    ahead = outlook(row, spec_of(space=SPACE | {"epochs": 6}, budget={"trials": 4}), TRIALS, DEFAULTS, 4)
    assert (ahead.going_on, ahead.new, ahead.epochs) == (4, 0, 3 * 2 + 5)


def test_nothing_starts_beyond_the_end_of_the_space(row):
    small = spec_of(space={"lr": [0.01, 0.02], "family": ["a", "b"], "epochs": 4})
    done = [replace(each, config=each.config | {"lr": 0.01}) for each in (trial(1, "a"), trial(2, "b"))]
    assert outlook(row, small, done, DEFAULTS, 50).new == 2
    finished = outlook(row, spec_of(budget={"trials": 1}), done[:1], DEFAULTS, 1)
    assert finished.is_done and finished.plan == "1 trial count and are done; nothing new starts"
