"""The command of nights: what it says by day, how it starts its runs, and the digest."""

from __future__ import annotations

import os
import socket
import sys
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from orchestrator.home import Home
from orchestrator.nights.record import NightFolder, NightRecord, Standing, StudyRecord, TurnRecord
from tests.harness.fake_cluster import FakeCluster, run_out
from tests.harness.fake_nights import STUDY
from tests.tune.conftest import Typed
from tune import night_machine
from tune.night_digest import digest
from tune.night_machine import Machine, Signals

SEOUL = ZoneInfo("Asia/Seoul")
# It stands for `tune`: says what it was started with, and ends as its study file says.
PROGRAM = """\
import sys, os, time, pathlib
text = pathlib.Path(sys.argv[2]).read_text()
print(sys.argv[1:], os.environ.get("NIGHTSWEEP_LEDGER"), os.getsid(0) == os.getpid(), flush=True)
if "study: b" in text:
    sys.exit(sys.argv[2] + ": space.lr: must be given")
"""


def seoul(day: int, hour: int) -> float:
    return datetime(2026, 3, day, hour, tzinfo=SEOUL).timestamp()


def write_queue(folder: Path, window: str) -> Path:
    """Writes a night file with the studies a and b."""
    for name in "ab":
        (folder / f"{name}.yaml").write_text(STUDY.format(name=name, trials=4))
    (folder / "night.yaml").write_text(f"window: {window}\nstudies: [{{file: a.yaml}}, {{file: b.yaml}}]\n")
    return folder / "night.yaml"


def clock_after(minutes: float) -> str:
    """Returns the time of day so many minutes from now, in UTC."""
    return time.strftime("%H:%M", time.gmtime(time.time() + 60 * minutes))


def test_by_day_it_says_when_the_next_night_begins_and_runs_nothing(typed: Typed, tmp_path: Path, home: Path):
    start, end = clock_after(120), clock_after(240)
    file = write_queue(tmp_path, f"{{start: '{start}', end: '{end}', timezone: UTC}}")
    said = typed("nightly", file)
    assert (said.code, said.err) == (0, "")
    assert "night.yaml: it is day; the next night begins" in said.out and f"{start}, until" in said.out
    status = typed("nightly", "status", file)
    assert status.code == 0 and "no night of this file has begun yet in this home" in status.out
    assert not (home / "nights").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["status"], "tune nightly: must be followed by NIGHT.yaml or one of `status NIGHT.yaml`"),
        (["night.yaml", "status"], "tune nightly: must be followed by"),
        (["none.yaml"], "none.yaml: no such file"),
        (["{file}", "--until", "7 pm"], "--until: must be a time of day such as 07:00, or a moment"),
        (["{file}", "--until", "2020-01-01 07:00"], "--until: must be a moment to come"),
        (["{file}", "--until", "07:00", "--wait"], "--until: must stand without --wait"),
    ],
)
def test_what_cannot_be_meant_is_refused(typed: Typed, tmp_path: Path, words: list[str], said: str):
    file = write_queue(tmp_path, "{start: 22:00, end: 07:00}")
    answer = typed("nightly", *(word.format(file=file) for word in words))
    assert answer.code == 2 and said in answer.err


def test_a_night_starts_each_study_as_a_run_of_its_own_and_keeps_what_it_said(
    typed: Typed, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setattr(night_machine, "own_program", lambda: [sys.executable, str(tmp_path / "program.py")])
    file = write_queue(tmp_path, f"{{start: '{clock_after(-60)}', end: '{clock_after(60)}', timezone: UTC}}")
    said = typed("nightly", file)
    assert said.code == 1  # b is broken
    assert "b: broken: its run ended with exit code 1: b.yaml: space.lr: must be given" in said.out
    lines = said.out.splitlines()
    assert "broken: b" in lines and "    b.yaml: space.lr: must be given" in lines
    assert lines[-1].startswith("next: ") and lines[-1].endswith("by the same command")
    [folder] = [each for each in (home / "nights" / "night").iterdir() if each.is_dir()]
    [words, *_] = (folder / "a.log").read_text().splitlines()
    until = datetime.fromisoformat(words.split("'--until', '")[1].split("'")[0])
    assert until.timestamp() == pytest.approx(time.time() + 1800, abs=120)  # half of the hour that is left
    assert f"['run', '{folder}/a.yaml'" in words and words.endswith(f"'{home}'] None True")
    assert "tune nightly" in (folder / "night.log").read_text() and "a: its turn, until" in said.out
    status = typed("nightly", "status", file)
    assert "nothing runs it" in status.out and "    b.yaml: space.lr: must be given" in status.out


def test_how_a_study_stands_is_read_from_the_ledger_and_a_teams_ledger_goes_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    said: list[str] = []
    machine = Machine(Home.at(tmp_path), Signals(), None, said.append)
    assert machine.standing("toy") is None and machine.runner("toy") is None
    cluster = FakeCluster(tmp_path)
    run_out(cluster.study)
    standing = machine.standing("toy")
    assert standing is not None and (standing.metric, standing.mode, standing.trials) == ("val/score", "max", 6)
    assert standing.best == max(trial.value(cluster.spec.objective.objective) for trial in cluster.study.trials)
    assert machine.standing("other") is None
    cluster.ledger.acquire(cluster.id, os.getpid(), socket.gethostname())
    assert (machine.runner("toy") or "").startswith("process ")
    assert said == []
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setattr(night_machine, "own_program", lambda: [sys.executable, str(tmp_path / "program.py")])
    (tmp_path / "toy.yaml").write_text("study: toy\n")
    shared = Machine(Home.at(tmp_path, str(tmp_path / "team.db")), Signals(), None, said.append)
    run = shared.start(StudyRecord("toy.yaml", 1.0, "toy"), tmp_path / "toy.yaml", time.time() + 60)
    while run.code() is None:
        time.sleep(0.05)
    assert (tmp_path / "toy.log").read_text().endswith(f"'{tmp_path}'] {tmp_path / 'team.db'} True\n")


def standing(best: float | None, trials: int, code: list[tuple[float, str]] | None = None) -> Standing:
    return Standing("paused", "the deadline came", "val/acc", "max", best, trials, trials * 1800.0, code=code or [])


def test_a_digest_says_first_what_became_better_and_what_is_broken(tmp_path: Path):
    turn = TurnRecord(seoul(13, 22), seoul(14, 7), 9 * 3600 - 60, 0)
    plates = StudyRecord("plates.yaml", 1.0, "plates", "plates.yaml", state="paused", turns=[turn])
    plates.before = standing(0.842, 3)
    plates.after = standing(0.861, 7, [(seoul(13, 23), "the code is not what it was")])
    plates.changes = ["budget.trials: 40 -> 80"]
    pages = StudyRecord("pages.yaml", 1.0, "pages", state="broken", errors=["pages.yaml: no such file"])
    record = NightRecord(
        "night.yaml", "2026-03-13", seoul(13, 22), seoul(14, 7), "Asia/Seoul", 1, "b" * 40, True, seoul(13, 22)
    )
    record.studies, record.ended, record.why = [plates, pages], seoul(14, 7), "the window ended"
    last = NightRecord("night.yaml", "2026-03-12", seoul(12, 22), seoul(13, 7), "Asia/Seoul", 1, "a" * 40)
    assert digest(record, last, SEOUL, seoul(14, 8)) == [
        "plates: val/acc 0.8420 -> 0.8610; broken: pages",
        "night of Fri 22:00, ended Sat 07:00 (the window ended)",
        "  plates: paused (the deadline came); val/acc 0.8420 -> 0.8610; 4 trials ended, 8 h 59 min in 1 turn; "
        "2.00 GPU-hours",
        "    changed since the last night: budget.trials: 40 -> 80",
        "    the code is not what it was",
        "  pages: broken",
        "    pages.yaml: no such file",
        "  code: commit aaaaaaaaaa -> bbbbbbbbbb, with changes that are not committed",
    ]
    folder = NightFolder(tmp_path, tmp_path / "night.yaml", SEOUL)
    folder.write(record)
    assert folder.last() == record and folder.night(record.start).name == "2026-03-13-2200"
    pages.state, plates.after = "paused", standing(0.842, 7)
    assert digest(record, None, SEOUL, seoul(14, 8))[0] == "no change"
    plates.before, record.ended = None, None
    lines = digest(record, None, SEOUL, seoul(14, 8))
    assert lines[0] == "plates: val/acc 0.8420, its first" and lines[1].endswith("until Sat 07:00: it was cut off")
    turn.code = None
    lines = digest(record, None, SEOUL, seoul(14, 6), runs=True)
    assert lines[1].endswith(": it goes on") and lines[2].startswith("  plates: its turn now; val/acc 0.8420")
