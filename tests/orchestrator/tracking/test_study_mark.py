from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.ledger import Ledger
from orchestrator.tracking import default_uri, study_mark
from orchestrator.tracking.study_mark import StudyMark


@pytest.fixture
def mark(ledger: Ledger, study: int, home: Path) -> StudyMark:
    mark = StudyMark(ledger.marks, study, default_uri(home, None))
    mark.enter()
    return mark


def test_what_was_sent_and_what_is_uncertain_are_remembered_apart(mark: StudyMark) -> None:
    assert (mark.sent, mark.uncertain_since) == (None, None)
    mark.uncertain_from_now()
    assert mark.sent is None
    mark.sent = "f00d"
    assert (mark.sent, mark.uncertain_since is None) == ("f00d", False)


def test_what_is_uncertain_outlives_what_is_forgotten_and_the_process(
    mark: StudyMark, ledger: Ledger, study: int, home: Path
) -> None:
    mark.sent = "f00d"
    mark.uncertain_from_now()
    mark.enter(afresh=True)
    assert mark.sent is None
    assert StudyMark(ledger.marks, study, default_uri(home, None)).uncertain_since is not None


def test_what_is_uncertain_in_one_store_is_not_in_another(mark: StudyMark, ledger: Ledger, study: int) -> None:
    mark.uncertain_from_now()
    other = StudyMark(ledger.marks, study, "https://mlflow.example")
    other.enter()
    assert other.uncertain_since is None


def test_a_look_settles_it_only_when_nothing_can_be_under_way_any_more(
    mark: StudyMark, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark.sent = "f00d"
    mark.uncertain_from_now()
    mark.settle()
    assert (mark.look_is_due, mark.uncertain_since is None) == (False, False)
    monkeypatch.setattr(study_mark, "LATE_SECONDS", -1.0)
    assert mark.look_is_due
    mark.settle()
    assert (mark.sent, mark.uncertain_since) == ("f00d", None)


def test_a_store_to_which_something_was_sent_is_missed_when_its_file_is_gone(mark: StudyMark, home: Path) -> None:
    assert not mark.file_deleted
    mark.sent = "f00d"
    assert mark.file_deleted
    (home / "mlflow.db").touch()
    assert not mark.file_deleted
