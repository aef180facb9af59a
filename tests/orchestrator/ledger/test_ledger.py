from __future__ import annotations

import contextlib
import math
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.ledger import DuplicateConfig, LeaseLost, Ledger, LedgerError, StudyExists, StudyInUse, UnknownStudy
from orchestrator.trial import Objective, Report, State

HERE = socket.gethostname()
HMEAN = Objective("val/hmean", "max")


@pytest.fixture
def study(ledger: Ledger) -> int:
    return ledger.create_study("hrnet", {"study": "hrnet"}, HMEAN, {"host": HERE}).id


def report(epoch: int, value: float = 0.5, *, at: float = 0.0, checkpoint: bool = False) -> Report:
    return Report(epoch, {"val/hmean": value}, 1.5, at or 1000.0 + epoch, checkpoint)


def program(text: str, *arguments: object) -> subprocess.Popen[str]:
    """A real process that runs `text`; `ledger` is open in it, on the first argument."""
    head = (
        "import os, socket, sys, time\n"
        "from orchestrator.ledger import *\n"
        "from orchestrator.trial import *\n"
        "ledger = Ledger(sys.argv[1])\n"
    )
    command = [sys.executable, "-c", head + text, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def programs(count: int, text: str, *arguments: object) -> Iterator[list[subprocess.Popen[str]]]:
    """Several at once; those that still run in the end are killed."""
    started = [program(text, *arguments) for _ in range(count)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


# Studies


def test_a_study_comes_back_as_it_was_written(ledger: Ledger) -> None:
    raw = {"study": "hrnet", "space": {"resolution": {"value": {1: 640, 5: 960}}, "lr": {"low": 1e-5, "high": 0.1}}}
    before = time.time()
    made = ledger.create_study("hrnet", raw, Objective("val/loss", "min"), {"commit": None, "gpus": ["H200"]})
    row = ledger.study("hrnet")
    assert made == row
    assert (row.raw, row.objective, row.facts) == (
        raw,
        Objective("val/loss", "min"),
        {"commit": None, "gpus": ["H200"]},
    )
    assert (row.name, row.status, row.reason, row.seconds, row.lease) == ("hrnet", "paused", None, 0.0, None)
    assert before <= row.created <= time.time()
    assert len(row.uid) == 32


def test_an_unknown_study_is_answered_with_the_known_ones(ledger: Ledger) -> None:
    with pytest.raises(UnknownStudy, match=r"No study named 'hrnt'\. There is none yet\. Try `tune run "):
        ledger.study("hrnt")
    for name in ("hrnet", "crnn"):
        ledger.create_study(name, {}, HMEAN, {})
    with pytest.raises(UnknownStudy, match=r"No study named 'hrnt'\. Known studies: crnn, hrnet\. Try `tune list "):
        ledger.study("hrnt")


def test_studies_are_listed_oldest_first(ledger: Ledger) -> None:
    for name in ("hrnet", "crnn", "plates"):
        ledger.create_study(name, {}, HMEAN, {})
    assert [row.name for row in ledger.studies()] == ["hrnet", "crnn", "plates"]


def test_a_name_is_taken_once(ledger: Ledger, study: int) -> None:
    with pytest.raises(StudyExists, match="A study named 'hrnet' exists already"):
        ledger.create_study("hrnet", {}, HMEAN, {})


def test_a_renamed_study_keeps_its_trials_and_leaves_its_name_free(ledger: Ledger, study: int) -> None:
    ledger.add_trial(study, {"lr": 0.1})
    uid = ledger.study("hrnet").uid
    ledger.rename_study("hrnet", "hrnet.2")
    new = ledger.create_study("hrnet", {}, HMEAN, {})
    assert ledger.study("hrnet.2").uid == uid != new.uid
    assert [len(ledger.trials(ledger.study(name).id)) for name in ("hrnet.2", "hrnet")] == [1, 0]
    with pytest.raises(StudyExists):
        ledger.rename_study("hrnet.2", "hrnet")
    with pytest.raises(UnknownStudy):
        ledger.rename_study("crnn", "crnn.2")


def test_a_running_study_is_not_renamed(ledger: Ledger, study: int) -> None:
    ledger.acquire(study, os.getpid(), HERE)
    with pytest.raises(StudyInUse):
        ledger.rename_study("hrnet", "hrnet.2")


def test_what_is_not_updated_stays(ledger: Ledger, study: int) -> None:
    ledger.update_study(study, facts={"extension": {"trials": 8}}, mlflow_run_id="abc")
    row = ledger.study("hrnet")
    assert (row.facts, row.mlflow_run_id, row.raw) == ({"extension": {"trials": 8}}, "abc", {"study": "hrnet"})


@pytest.mark.parametrize("column, value", [("status", "done"), ("raw", object()), ("colour", "red")])
def test_a_study_takes_no_nonsense(ledger: Ledger, study: int, column: str, value: object) -> None:
    with pytest.raises((LedgerError, TypeError)):
        ledger.update_study(study, **{column: value})
    assert ledger.study("hrnet").status == "paused"


# Trials


def test_a_trial_comes_back_as_it_was_written(ledger: Ledger, study: int) -> None:
    config = {"lr": 3.1e-4, "backbone": "hrnet_w44", "resolution": {1: 640, 5: 960}, "anchors": [1, 2.5], "ema": None}
    made = ledger.add_trial(study, config, baseline="best by hand", seed=7)
    assert made == ledger.trial(study, 1)
    assert (made.number, made.config, made.baseline, made.seed) == (1, config, "best by hand", 7)
    assert (made.state, made.attempts, made.reports, made.ended) == (State.RUNNING, 1, (), None)


def test_the_first_start_sees_a_config_just_as_the_next_one_reads_it(ledger: Ledger, study: int) -> None:
    made = ledger.add_trial(study, {"betas": (0.9, 0.999)})
    assert made.config == {"betas": [0.9, 0.999]} == ledger.trial(study, 1).config


def test_trials_are_numbered_from_one_in_each_study(ledger: Ledger, study: int) -> None:
    other = ledger.create_study("crnn", {}, HMEAN, {}).id
    assert [ledger.add_trial(study, {"lr": lr}).number for lr in (0.1, 0.2, 0.3)] == [1, 2, 3]
    assert ledger.add_trial(other, {"lr": 0.1}).number == 1


def test_one_config_and_seed_is_one_trial(ledger: Ledger, study: int) -> None:
    ledger.add_trial(study, {"lr": 0.1, "epochs": 4})
    with pytest.raises(DuplicateConfig) as duplicate:
        ledger.add_trial(study, {"epochs": 4.0, "lr": 0.1})
    assert duplicate.value.number == 1
    assert ledger.add_trial(study, {"lr": 0.1, "epochs": 4}, seed=1).number == 2


def test_reports_come_back_by_epoch_with_every_value(ledger: Ledger, study: int) -> None:
    ledger.add_trial(study, {})
    values = {"val/hmean": 0.1 + 0.2, "train/loss": math.inf, "val/edit": -math.inf, "tiny": 5e-324, "whole": 3}
    second = Report(2, values, 0.25, 1795256856.411846, True)
    ledger.record(study, 1, second)
    ledger.record(study, 1, report(1))
    assert ledger.trial(study, 1).reports == (report(1), second)
    assert ledger.trials(study) == [ledger.trial(study, 1)]
    assert ledger.trials(study, reports=False)[0].reports == ()


def test_not_a_number_survives(ledger: Ledger, study: int) -> None:
    ledger.add_trial(study, {})
    ledger.record(study, 1, report(1, math.nan))
    assert math.isnan(ledger.trial(study, 1).reports[0].metrics["val/hmean"])


def test_a_repeated_epoch_replaces_its_report_and_keeps_its_place(ledger: Ledger, study: int) -> None:
    for lr in (0.1, 0.2):
        ledger.add_trial(study, {"lr": lr})
    for number, epoch in [(1, 1), (2, 1), (1, 2), (2, 2)]:
        ledger.record(study, number, report(epoch))
    ledger.record(study, 1, report(1, 0.9, at=5000.0, checkpoint=True))
    history = ledger.history(study)
    assert [(number, given.epoch) for _, number, given in history] == [(1, 1), (2, 1), (1, 2), (2, 2)]
    assert history[0][2] == report(1, 0.9, at=5000.0, checkpoint=True)
    assert [sequence for sequence, _, _ in history] == sorted({sequence for sequence, _, _ in history})


def test_history_goes_on_after_a_given_sequence(ledger: Ledger, study: int) -> None:
    ledger.add_trial(study, {})
    for epoch in range(1, 5):
        ledger.record(study, 1, report(epoch))
    sequence = ledger.history(study)[1][0]
    assert [given.epoch for _, _, given in ledger.history(study, after=sequence)] == [3, 4]


def test_a_trial_ends_with_its_reason(ledger: Ledger, study: int) -> None:
    ledger.add_trial(study, {})
    ledger.finish(study, 1, State.FAILED, "non_finite: `val/hmean` is nan", "Traceback \0 \udce9")
    trial = ledger.trial(study, 1)
    assert (trial.state, trial.reason) == (State.FAILED, "non_finite: `val/hmean` is nan")
    assert trial.error == "Traceback \\0 \\udce9"
    assert trial.ended is not None


def test_every_attempt_is_kept(ledger: Ledger, study: int) -> None:
    ledger.add_trial(study, {})
    ledger.record(study, 1, report(1, checkpoint=True))
    ledger.record(study, 1, report(2))
    ledger.finish(study, 1, State.PAUSED, "the deadline came")
    assert ledger.trial(study, 1).ended is None
    assert ledger.start_attempt(study, 1) == 2
    again = ledger.trial(study, 1)
    assert (again.state, again.reason, again.attempts) == (State.RUNNING, None, 2)
    ledger.finish(study, 1, State.COMPLETED)
    attempts = ledger.attempts(study, 1)
    assert [(a.number, a.from_epoch, a.outcome) for a in attempts] == [(1, 0, "paused"), (2, 1, "completed")]
    assert all(a.ended is not None and a.ended >= a.started for a in attempts)


def test_test_scores_and_facts_are_kept(ledger: Ledger, study: int) -> None:
    ledger.add_trial(study, {})
    ledger.set_test(study, 1, {"test/hmean": 0.9632})
    ledger.set_facts(study, 1, {"device": "cuda:0"})
    trial = ledger.trial(study, 1)
    assert (trial.test, trial.facts) == ({"test/hmean": 0.9632}, {"device": "cuda:0"})


@pytest.mark.parametrize("number", [0, 2])
def test_a_trial_that_is_not_there_is_said(ledger: Ledger, study: int, number: int) -> None:
    ledger.add_trial(study, {})
    acts: list[Callable[[], object]] = [
        lambda: ledger.record(study, number, report(1)),
        lambda: ledger.finish(study, number, State.PRUNED),
        lambda: ledger.trial(study, number),
        lambda: ledger.start_attempt(study, number),
    ]
    for act in acts:
        with pytest.raises(LedgerError, match=f"has no trial {number}"):
            act()


@pytest.mark.parametrize("epoch", [0, -1])
def test_epochs_count_from_one(ledger: Ledger, study: int, epoch: int) -> None:
    ledger.add_trial(study, {})
    with pytest.raises(LedgerError):
        ledger.record(study, 1, report(epoch))
    assert ledger.trial(study, 1).reports == ()


def test_threads_share_a_ledger(ledger: Ledger, study: int) -> None:
    for seed in range(4):
        ledger.add_trial(study, {}, seed=seed)

    def work(number: int) -> None:
        for epoch in range(1, 31):
            ledger.record(study, number, report(epoch, number + epoch / 100))
            ledger.trials(study)

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for trial in ledger.trials(study):
        assert trial.reports == tuple(report(epoch, trial.number + epoch / 100) for epoch in range(1, 31))


# Who runs a study


def test_a_held_study_names_its_holder(ledger: Ledger, study: int) -> None:
    assert ledger.acquire(study, os.getpid(), HERE) is None
    row = ledger.study("hrnet")
    assert row.status == "running"
    assert row.lease is not None and (row.lease.pid, row.lease.host) == (os.getpid(), HERE)
    with pytest.raises(StudyInUse, match=rf"Study 'hrnet' is run by process {os.getpid()} on {HERE} since") as held:
        ledger.acquire(study, os.getpid(), HERE)
    assert held.value.lease == row.lease
    ledger.release(study, "paused", "the deadline came")
    row = ledger.study("hrnet")
    assert (row.status, row.reason, row.lease) == ("paused", "the deadline came", None)
    assert ledger.acquire(study, os.getpid(), HERE) is None


def test_of_several_that_start_at_once_one_gets_the_study(
    ledger: Ledger, ledger_url: str, study: int, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    text = (
        "while not os.path.exists(sys.argv[2]): pass\n"
        "try: ledger.acquire(int(sys.argv[3]), os.getpid(), socket.gethostname())\n"
        "except StudyInUse as held: print(held.lease.pid, flush=True)\n"
        "else: print('mine', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with programs(5, text, ledger_url, go, study) as started:
        time.sleep(1.0)
        go.touch()
        said = {process.pid: process.stdout.readline().strip() for process in started if process.stdout}
    (winner,) = [pid for pid, word in said.items() if word == "mine"]
    assert {word for pid, word in said.items() if pid != winner} == {str(winner)}


def test_a_killed_driver_leaves_an_interrupted_study_for_one_other(
    ledger: Ledger, ledger_url: str, study: int, tmp_path: Path
) -> None:
    text = (
        "study = int(sys.argv[2])\n"
        "ledger.acquire(study, os.getpid(), socket.gethostname())\n"
        "ledger.add_trial(study, {})\n"
        "time.sleep(0.3); ledger.beat(study)\n"
        "print('ready', flush=True); sys.stdin.read()\n"
    )
    with programs(1, text, ledger_url, study) as (driver,):
        assert driver.stdout is not None and driver.stdout.readline() == "ready\n"
        assert ledger.study("hrnet").status == "running"
        driver.kill()  # not waited for: what remains of it must not count as alive
        time.sleep(0.2)
        row = ledger.study("hrnet")
        assert row.status == "interrupted"
        assert row.lease is not None and row.lease.pid == driver.pid
        assert row.seconds >= 0.3
    began = time.monotonic()
    stale = ledger.acquire(study, os.getpid(), HERE)
    assert stale == row.lease
    (attempt,) = ledger.attempts(study, 1)
    assert (attempt.outcome, attempt.ended) == ("interrupted", pytest.approx(row.lease.beat, abs=1.0))
    with program("ledger.acquire(int(sys.argv[2]), os.getpid(), socket.gethostname())", ledger_url, study) as late:
        late.communicate()
    assert late.returncode == 1
    ledger.release(study, "finished")
    assert row.seconds <= ledger.study("hrnet").seconds <= row.seconds + time.monotonic() - began


def test_a_driver_that_lost_its_study_is_told_and_cannot_release_it(
    ledger_url: str, ledger: Ledger, study: int
) -> None:
    asleep = Ledger(ledger_url)
    asleep.acquire(study, 2**22 + 1, HERE)  # a process that does not exist
    ledger.acquire(study, os.getpid(), HERE)
    with pytest.raises(LeaseLost) as taken:
        asleep.beat(study)
    assert taken.value.lease is not None and taken.value.lease.pid == os.getpid()
    asleep.release(study, "finished")
    row = ledger.study("hrnet")
    assert (row.status, row.lease is not None) == ("running", True)
    asleep.close()


def test_wall_seconds_add_up_over_sessions(ledger: Ledger, study: int) -> None:
    began = time.monotonic()
    for _ in range(2):
        ledger.acquire(study, os.getpid(), HERE)
        time.sleep(0.2)
        ledger.release(study, "paused")
    assert 0.4 - 0.01 <= ledger.study("hrnet").seconds <= time.monotonic() - began + 0.01  # two clocks, to the ms


# Processes and crashes


def test_numbers_stay_unique_when_processes_add_trials_at_once(ledger: Ledger, ledger_url: str, study: int) -> None:
    text = "for lr in range(20): ledger.add_trial(int(sys.argv[2]), {'lr': lr}, seed=os.getpid())"
    with programs(4, text, ledger_url, study) as started:
        for process in started:
            assert process.wait(60) == 0
    assert [trial.number for trial in ledger.trials(study)] == list(range(1, 81))


def test_processes_may_make_one_ledger_at_once(ledger_url: str) -> None:
    with programs(5, "print(len(ledger.studies()))", ledger_url) as started:
        for process in started:
            assert process.wait(60) == 0


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_writer_killed_in_mid_write_loses_nothing_that_it_was_told_is_kept(tmp_path: Path, checkpoint: bool) -> None:
    file = tmp_path / "ledger.db"
    ledger = Ledger(file)
    study = ledger.create_study("hrnet", {}, HMEAN, {}).id
    text = (
        "study, checkpoint = int(sys.argv[2]), sys.argv[3] == 'True'\n"
        "number = ledger.add_trial(study, {}, seed=os.getpid()).number\n"
        "for epoch in range(1, 100_000):\n"
        "    ledger.record(study, number, Report(epoch, {'val/hmean': epoch / 7}, 1.0, 1.0, checkpoint))\n"
        "    os.write(1, b'%d %d\\n' % (number, epoch))\n"
    )
    promised: dict[int, int] = {}
    for round_ in range(4):
        with programs(1, text, file, study, checkpoint) as (writer,):
            assert writer.stdout is not None
            told = [writer.stdout.readline() for _ in range(100 + 37 * round_)]
            writer.kill()
            told += writer.stdout.readlines()
        number, epoch = map(int, told[-1].split())
        promised[number] = epoch
    assert sorted(promised) == [1, 2, 3, 4]
    for trial in ledger.trials(study):
        assert trial.epochs - promised[trial.number] in (0, 1)  # one may have been kept and not yet told
        assert [r.metrics["val/hmean"] for r in trial.reports] == [e / 7 for e in range(1, trial.epochs + 1)]
    ledger.close()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_reader_sees_a_study_whole_while_it_is_written(ledger: Ledger, ledger_url: str, study: int) -> None:
    text = (
        "study = int(sys.argv[2])\n"
        "number = ledger.add_trial(study, {}).number\n"
        "for epoch in range(1, 300): ledger.record(study, number, Report(epoch, {'v': epoch}, 1.0, 1.0))\n"
        "ledger.finish(study, number, State.COMPLETED)\n"
    )
    with programs(1, text, ledger_url, study) as (writer,):
        while writer.poll() is None:
            for trial in ledger.trials(study):
                assert [r.epoch for r in trial.reports] == list(range(1, trial.epochs + 1))
                assert trial.epochs == 299 or trial.state is State.RUNNING
    assert ledger.trial(study, 1).state is State.COMPLETED
