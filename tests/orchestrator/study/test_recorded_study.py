"""A study in which everything happens is decided again, call by call, as it was when it was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.job import FailureClass
from tests.harness.played_study import RECORDED, PlayedStudy


@pytest.mark.timeout(300)  # five hundred writes to the ledger and as many checkpoints, on whatever disk
def test_a_recorded_study_is_decided_again_as_it_was(tmp_path: Path) -> None:
    recorded = json.loads(RECORDED.read_text())
    study = PlayedStudy(recorded["study"], tmp_path)
    for index, (at, call, arguments, answer) in enumerate(recorded["events"]):
        assert study.call(at, call, arguments) == answer, f"event {index}, at {at} s: {call} {arguments}"


def test_in_the_recorded_study_happens_all_that_can_happen() -> None:
    events = json.loads(RECORDED.read_text())["events"]
    calls = {call for _, call, _, _ in events}
    assert calls == {
        *("open", "next_job", "place", "report", "report_and_die", "complete", "fail", "pause"),
        *("pause_all", "stop", "disk_has_room", "trials"),
    }
    assert {arguments[1] for _, call, arguments, _ in events if call == "fail"} == set(FailureClass)
    assert {answer[0] for _, call, _, answer in events if call == "report"} == {"continue", "prune", "pause"}
    assert {trial["state"] for trial in events[-1][3]} == {"completed", "pruned", "failed"}
    assert any(None in arguments[2].values() for _, call, arguments, _ in events if call == "report")
    assert _repeated(events) >= 10


def _repeated(events: list[list]) -> int:
    """Reports of an epoch that the trial had reported before."""
    reports = [(arguments[0], arguments[1]) for _, call, arguments, _ in events if call == "report"]
    return len(reports) - len(set(reports))
