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


def test_what_was_told_and_what_is_in_doubt_are_known_apart(mark: StudyMark) -> None:
    assert (mark.told, mark.doubt) == (None, None)
    mark.doubt_from_now()
    assert mark.told is None
    mark.told = "f00d"
    assert (mark.told, mark.doubt is None) == ("f00d", False)


def test_a_doubt_outlives_what_is_forgotten_and_the_process(
    mark: StudyMark, ledger: Ledger, study: int, home: Path
) -> None:
    mark.told = "f00d"
    mark.doubt_from_now()
    mark.enter(afresh=True)
    assert mark.told is None
    assert StudyMark(ledger.marks, study, default_uri(home, None)).doubt is not None


def test_a_doubt_about_one_store_is_none_about_another(mark: StudyMark, ledger: Ledger, study: int) -> None:
    mark.doubt_from_now()
    other = StudyMark(ledger.marks, study, "https://mlflow.example")
    other.enter()
    assert other.doubt is None


def test_a_look_settles_a_doubt_only_when_nothing_can_be_under_way_any_more(
    mark: StudyMark, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark.told = "f00d"
    mark.doubt_from_now()
    mark.settle()
    assert (mark.late, mark.doubt is None) == (False, False)
    monkeypatch.setattr(study_mark, "LATE_SECONDS", -1.0)
    assert mark.late
    mark.settle()
    assert (mark.told, mark.doubt) == ("f00d", None)


def test_a_store_that_was_told_and_has_no_file_is_lost(mark: StudyMark, home: Path) -> None:
    assert not mark.lost
    mark.told = "f00d"
    assert mark.lost
    (home / "mlflow.db").touch()
    assert not mark.lost
