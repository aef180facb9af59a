"""The list of studies: in order, with dates, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.ledger import Ledger
from orchestrator.trial import Objective, Report
from tests.tune.conftest import Typed
from tune.study_list import newest_first


@pytest.fixture
def ledger(home: Path) -> Ledger:
    """Returns a ledger of three studies, of which the oldest was active last."""
    ledger = Ledger(home / "ledger.db")
    for name in ("oldest", "never-run", "middle"):
        raw = {"study": name, "trainable": "detection"}
        ledger.create_study(name, raw, Objective("val/loss", "min"), {})
    for name in ("middle", "oldest"):
        row = ledger.study(name)
        ledger.acquire(row.id, 1, "elsewhere")
        ledger.add_trial(row.id, {"lr": 0.1})
        for epoch, loss in enumerate([0.5, 0.25], start=1):
            ledger.record(row.id, 1, Report(epoch, {"val/loss": loss}, 1.0, 9.0))
        ledger.release(row.id, "paused", "the deadline came")
    return ledger


def test_the_study_that_was_active_last_stands_first(ledger: Ledger):
    times = {"oldest": (100.0, 900.0), "never-run": (800.0, None), "middle": (200.0, 700.0)}
    rows = [(replace(row, created=times[row.name][0], active=times[row.name][1]), []) for row in ledger.studies()]
    assert [row.name for row, _ in newest_first(rows)] == ["oldest", "never-run", "middle"]


def test_a_person_sees_dates_and_a_program_reads_json(typed: Typed, ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = typed("list").out.splitlines()
    assert lines[0].split()[:4] == ["study", "status", "last", "active"] and all(len(line) <= 80 for line in lines)
    assert all("20" in line for line in lines[1:])
    assert lines[0].split()[4:7] == ["value", "best", "trials"] and "1 cut off" in lines[1] and "…" not in lines[1]
    found = {each["study"]: each for each in json.loads(typed("list", "--json").out)}
    assert next(iter(found)) == lines[1].split()[0]
    assert found["oldest"]["best"] == {"number": 1, "value": 0.25, "epoch": 2}
    assert found["oldest"]["reason"] == "the deadline came" and found["oldest"]["states"] == {"running": 1}
    assert found["never-run"]["best"] is None and found["never-run"]["active"] is None
    assert found["never-run"]["created"] > 1e9
