from __future__ import annotations

import os
import subprocess
import sys

import pytest

from orchestrator.ledger import Ledger
from orchestrator.ledger.mlflow_marks import Behind
from orchestrator.trial import Objective, Report, State

RUNNING = {State.RUNNING: "RUNNING"}


@pytest.fixture
def study(ledger: Ledger) -> int:
    """Two trials; MLflow has both, with one report each."""
    study = ledger.create_study("hrnet", {}, Objective("val/hmean", "max"), {}).id
    ledger.marks.enter(study, "here")
    for number in (1, 2):
        ledger.add_trial(study, {"lr": number})
        ledger.record(study, number, report(1))
    see(ledger, study)
    return study


def report(epoch: int, value: float = 0.5) -> Report:
    return Report(epoch, {"val/hmean": value}, 1.0, 1000.0 + epoch)


def see(ledger: Ledger, study: int) -> None:
    """As a sender does."""
    for lack in ledger.marks.behind(study, RUNNING):
        if lack.trial.mlflow_run_id is None:
            ledger.marks.expect_run(study, lack.trial.number)
            ledger.marks.known_run(study, lack.trial.number, f"run {lack.trial.number}")
        ledger.marks.seen(study, lack.trial.number, lack.revision, "RUNNING")


def behind(ledger: Ledger, study: int) -> list[tuple[int, list[int]]]:
    """(trial, epochs that MLflow lacks)."""
    return [(lack.trial.number, [r.epoch for r in lack.unseen]) for lack in ledger.marks.behind(study, RUNNING)]


def test_what_was_seen_is_not_behind(ledger: Ledger, study: int) -> None:
    assert behind(ledger, study) == []


def test_only_reports_that_were_not_seen_are_behind(ledger: Ledger, study: int) -> None:
    for epoch in (2, 3):
        ledger.record(study, 2, report(epoch))
    assert behind(ledger, study) == [(2, [2, 3])]
    see(ledger, study)
    assert behind(ledger, study) == []


def test_a_report_in_the_place_of_one_that_was_seen_is_behind(ledger: Ledger, study: int) -> None:
    ledger.record(study, 1, report(2))
    see(ledger, study)
    ledger.record(study, 1, report(1, 0.75))
    (lack,) = ledger.marks.behind(study, RUNNING)
    assert lack.unseen == (report(1, 0.75),)


def test_a_report_that_comes_while_others_are_sent_is_not_lost(ledger: Ledger, study: int) -> None:
    ledger.record(study, 1, report(2))
    (sending,) = ledger.marks.behind(study, RUNNING)
    ledger.record(study, 1, report(3))
    ledger.marks.seen(study, 1, sending.revision, "RUNNING")
    assert behind(ledger, study) == [(1, [3])]


@pytest.mark.parametrize(
    "change",
    [
        lambda ledger, study: ledger.finish(study, 2, State.PRUNED, "why"),
        lambda ledger, study: ledger.set_test(study, 2, {"test/hmean": 0.5}),
        lambda ledger, study: ledger.set_facts(study, 2, {"device": "cuda:0"}),
        lambda ledger, study: ledger.start_attempt(study, 2),
    ],
)
def test_every_change_of_a_trial_leaves_mlflow_behind(ledger: Ledger, study: int, change) -> None:  # type: ignore[no-untyped-def]
    change(ledger, study)
    assert behind(ledger, study) == [(2, [])]


def test_a_running_trial_is_behind_when_its_study_stops(ledger: Ledger, study: int) -> None:
    ledger.finish(study, 1, State.COMPLETED)
    see(ledger, study)
    lacking = ledger.marks.behind(study, {State.RUNNING: "SCHEDULED"})
    assert [lack.trial.number for lack in lacking] == [2]


def test_another_store_has_seen_nothing(ledger: Ledger, study: int) -> None:
    ledger.update_study(study, mlflow_run_id="run 0", mlflow_experiment_id="7")
    ledger.marks.enter(study, "here")
    assert behind(ledger, study) == []
    ledger.marks.enter(study, "there")
    assert behind(ledger, study) == [(1, [1]), (2, [1])]
    assert ledger.study("hrnet").mlflow_run_id is None
    assert all(lack.trial.mlflow_run_id is None for lack in ledger.marks.behind(study, RUNNING))


def test_afresh_nothing_counts_as_seen_but_the_studys_own_run_is_known(ledger: Ledger, study: int) -> None:
    ledger.update_study(study, mlflow_run_id="run 0")
    ledger.marks.see_study(study, "digest")
    ledger.marks.enter(study, "here", afresh=True)
    assert behind(ledger, study) == [(1, [1]), (2, [1])]
    assert (ledger.study("hrnet").mlflow_run_id, ledger.marks.study_seen(study)) == ("run 0", None)


def test_a_run_is_in_doubt_from_before_it_is_made_until_its_id_is_kept(ledger: Ledger, study: int) -> None:
    ledger.add_trial(study, {"lr": 3})

    def lack() -> Behind:
        return ledger.marks.behind(study, RUNNING)[-1]

    assert not lack().unsure
    ledger.marks.expect_run(study, 3)
    assert lack().unsure
    ledger.marks.known_run(study, 3, "run 3")
    assert (lack().unsure, lack().trial.mlflow_run_id) == (False, "run 3")
    ledger.marks.known_run(study, 3, None)
    assert (lack().unsure, lack().trial.mlflow_run_id) == (True, None)


def test_one_sends_at_a_time(ledger: Ledger, ledger_url: str, study: int) -> None:
    other = Ledger(ledger_url)
    assert ledger.marks.begin(study) is None
    assert ledger.marks.begin(study) is None  # it is still at it
    sender = other.marks.begin(study)
    assert sender is not None
    assert sender.pid == os.getpid()
    other.marks.end(study)  # not its own to end
    assert other.marks.begin(study) is not None
    ledger.marks.end(study)
    assert other.marks.begin(study) is None
    other.close()


def test_a_dead_sender_is_none(ledger: Ledger, ledger_url: str, study: int) -> None:
    text = (
        "import os, sys; from orchestrator.ledger import Ledger\n"
        "Ledger(sys.argv[1]).marks.begin(int(sys.argv[2])); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", text, ledger_url, str(study)], check=False).returncode == 9
    assert ledger.marks.begin(study) is None
