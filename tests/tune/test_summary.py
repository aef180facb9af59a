"""What `tune show` says of a study's budget and of its failures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.home import Home
from orchestrator.job import FailureClass
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.machine.doctor import Finding, Level
from orchestrator.trial import FailedAttempt, Objective, Outcome, Report, State, Status, Trial
from tune.outcome import show_outcome
from tune.show import show_health, show_study, show_trial
from tune.study_report import NextStep
from tune.summary import study_summary


def advised() -> NextStep:
    return NextStep("Train trial 1 again.", ("tune best s --output b", "tune train b --name t"))


def report(epoch: int, value: float, at: float) -> Report:
    return Report(epoch, {"val/score": value}, 2.0, at)


def failed(*kinds: str) -> tuple[FailedAttempt, ...]:
    return tuple(FailedAttempt(FailureClass(kind), 0) for kind in kinds)


TRIALS = [
    Trial(
        1,
        {"lr": 0.1},
        State.COMPLETED,
        reports=(report(1, 0.9, 10.0),),
    ),
    Trial(2, {"lr": 0.2}, State.PRUNED, "below", reports=(report(1, 0.4, 20.0),), failures=failed("hang")),
    Trial(3, {"lr": 0.3}, State.FAILED, "out of memory: too much", failures=failed(*["out of memory"] * 4)),
    Trial(4, {"lr": 0.4}, State.PRUNED, "below", reports=(report(1, 0.3, 30.0),), left_out="lr: is not in the space"),
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "runs")


def row(home: Home, status: str = "finished", reason: str | None = None, **budget: Any) -> StudyRow:
    raw = {"study": "s", "trainable": "tests.toy", "budget": budget}
    ledger = Ledger(home.ledger)
    made = ledger.create_study("s", raw, Objective("val/score", "max"), {})
    ledger.update_study(made.id, status=status, reason=reason)
    return ledger.study("s")


def test_what_was_used_and_every_failure_are_counted(home: Home):
    summary = study_summary(row(home), TRIALS, home, gpu_seconds=3600.0)
    assert summary["used"] == {"trials": 3, "hours": 0.0, "gpu_hours": 1.0, "trials_since_best": 1}
    assert summary["failures"] == {"out_of_memory": 4, "hang": 1}


def test_a_metric_that_is_called_as_one_of_ours_hides_none_of_them(home: Home, capsys: pytest.CaptureFixture[str]):
    theirs = {"val/score": 0.5, "epoch": 70.0, "epoch_seconds": 80.0, "seconds": 90.0}
    trial = Trial(1, {"lr": 0.1}, State.COMPLETED, reports=(Report(3, theirs, 2.0, 10.0),))
    study = row(home)
    [shown] = study_summary(study, [trial], home, history=True)["trials"]
    assert shown["reports"] == [
        {
            "epoch": 3,
            "epoch_seconds": 2.0,
            "val/score": 0.5,
            "metric/epoch": 70.0,
            "metric/epoch_seconds": 80.0,
            "seconds": 90.0,
        }
    ]
    show_trial(study, trial, home)
    heading = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch"))
    assert heading.split() == ["epoch", "val/score", "metric/epoch", "epoch_seconds", "metric/seconds", "seconds"]


def test_show_prints_what_is_limited_and_what_failed(home: Home, capsys: pytest.CaptureFixture[str]):
    show_study(row(home, gpu_hours=120, patience=30), TRIALS, home, gpu_seconds=3600.0)
    out = capsys.readouterr().out
    assert "budget used: 1 of 120 GPU-hours, 1 of 30 trials since the best\n" in out
    assert "failures, retries included: 4 out of memory, 1 hang\n" in out


def test_trials_that_are_left_out_are_counted_apart_as_in_the_report(home: Home, capsys: pytest.CaptureFixture[str]):
    show_study(row(home), TRIALS, home)
    assert "3 trials (1 completed, 1 pruned, 1 failed) and 1 left out" in capsys.readouterr().out


def test_show_prints_nothing_of_a_budget_or_of_failures_where_there_is_nothing(
    home: Home, capsys: pytest.CaptureFixture[str]
):
    show_study(row(home, trials=4), TRIALS[:1], home)
    out = capsys.readouterr().out
    assert "budget used" not in out and "failures" not in out


def test_a_trial_tells_after_what_it_was_tried_again(home: Home, capsys: pytest.CaptureFixture[str]):
    failures = failed("out of memory", "worker lost", "out of memory")
    trial = Trial(1, {"lr": 0.1}, State.COMPLETED, failures=failures, accumulation_steps=4)
    show_trial(row(home), trial, home)
    assert "tried again after 2 out of memory, 1 worker lost; accumulation_steps 4\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "reason", "started", "code", "said"),
    [
        (
            "failed",
            "3 trials in a row failed alike: KeyError: 'x' at a.py:9",
            3,
            1,
            "next: mend that, and tune run s.yaml",
        ),
        ("failed", None, 3, 1, "next: mend what the failed trials name"),
        (
            "finished",
            "the target was reached: val/score 0.9",
            3,
            0,
            "s: finished (the target was reached: val/score 0.9)",
        ),
        ("finished", "the target was reached: val/score 0.9", 0, 0, "More: change that limit under `budget`"),
        ("finished", None, 0, 0, "More: tune run s.yaml --trials +4"),
        (
            "failed",
            "epoch 1 must report `a`; mend `objective.metric` in the study file",
            1,
            1,
            "tries those trials again\n",
        ),
        ("finished", "all 4 configs of the space were tried", 0, 0, "More: widen `space` or loosen `constraints`"),
        ("paused", "the 2 GPU-hours of the budget are used up", 3, 0, "next: tune run s.yaml   goes on from here"),
    ],
)
def test_the_last_lines_say_what_ended_the_study_and_what_to_type(
    home: Home, capsys: pytest.CaptureFixture[str], status: str, reason: str | None, started: int, code: int, said: str
):
    outcome = Outcome(Status(status), started, "s")
    page = home.report("s") / "report.html"
    assert show_outcome(row(home, status, reason), TRIALS, outcome, page, home, "tune run s.yaml", advised) == code
    assert said in capsys.readouterr().out


def test_the_last_lines_of_a_search_say_what_its_report_advises(home: Home, capsys: pytest.CaptureFixture[str]):
    outcome, page = Outcome(Status.FINISHED, 3, "s"), home.report("s") / "report.html"
    assert show_outcome(row(home), TRIALS, outcome, page, home, "tune run s.yaml", advised) == 0
    out = capsys.readouterr().out
    assert out.endswith("\nTrain trial 1 again.\nnext: tune best s --output b\n      tune train b --name t\n")


def test_the_last_lines_of_a_study_that_learnt_nothing_say_so(home: Home, capsys: pytest.CaptureFixture[str]):
    flat = [Trial(n, {}, State.COMPLETED, reports=tuple(report(e, 0.0, e) for e in (1, 2, 3))) for n in (1, 2)]
    outcome, page = Outcome(Status.FINISHED, 2, "s"), home.report("s") / "report.html"
    assert show_outcome(row(home), flat, outcome, page, home, "tune run s.yaml", advised) == 0
    out = capsys.readouterr().out
    assert "nothing was learnt: every value of val/score is 0" in out
    assert "next: tune show s --trial 1" in out and "tune train" not in out
    again = Ledger(home.ledger).study("s")
    show_outcome(again, flat, outcome, page, home, "tune run s.yaml --smoke", advised)
    assert "nothing was learnt" not in capsys.readouterr().out


def test_the_doctor_says_each_finding_as_it_comes(capsys: pytest.CaptureFixture[str]):
    def findings() -> Iterator[Finding]:
        yield Finding("python", Level.PROBLEM, "3.9", "install 3.11")
        assert capsys.readouterr().out == "problem   python: 3.9\n          install 3.11\n"
        yield Finding("clock", Level.OK, "04:00 UTC")

    assert show_health(findings()) is False
    assert capsys.readouterr().out == "ok        clock: 04:00 UTC\n"
