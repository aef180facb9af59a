"""Who runs a study: one process at a time, whatever dies, sleeps, or stands on another host; with real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from orchestrator.ledger import LeaseLost, Ledger, StudyInUse
from orchestrator.ledger.lease_table import LeaseTable
from orchestrator.trial import Extension, Objective, Report, State

HERE = socket.gethostname()
HMEAN = Objective("val/hmean", "max")
NOBODY = 2**22 + 1  # a process number that no process can have


@pytest.fixture
def study(ledger: Ledger) -> int:
    return ledger.create_study("hrnet", {"study": "hrnet"}, HMEAN, {}).id


class Driver:
    """A real process that does what it is told, a line of Python at a time, and answers with a line."""

    def __init__(self, url: str, clock: float = 0.0) -> None:
        """clock: seconds by which the clock of its host is fast."""
        text = (
            "import os, socket, sys, time\n"
            f"right = time.time; time.time = lambda: right() + {clock}\n"
            "from orchestrator.ledger import *\n"
            "from orchestrator.trial import *\n"
            "ledger = Ledger(sys.argv[1])\n"
            "print('ready', flush=True)\n"
            "for line in sys.stdin:\n"
            "    try: print(repr(eval(line)), flush=True)\n"
            "    except LedgerError as error: print(type(error).__name__, error, flush=True)\n"
        )
        command = [sys.executable, "-c", text, url]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        assert self.answer() == "ready"

    def tell(self, act: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{act}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def do(self, act: str) -> str:
        self.tell(act)
        return self.answer()


@pytest.fixture
def driver(ledger_url: str, ledger: Ledger) -> Iterator[Callable[..., Driver]]:
    started: list[Driver] = []

    def start(**named: float) -> Driver:
        started.append(Driver(ledger_url, **named))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def change(url: str, statement: str) -> None:
    """As nobody should: straight in the database."""
    if "://" not in url:
        with contextlib.closing(sqlite3.connect(url)) as connection, connection:
            connection.execute(statement)
        return
    import psycopg2

    with contextlib.closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def silence(url: str, seconds: float) -> None:
    """As if no session had given a sign of life for so long."""
    change(url, f"UPDATE sessions SET beat = beat - {seconds}, started = started - {seconds}")


def test_of_two_that_race_for_a_stale_lock_exactly_one_wins_every_time(
    ledger: Ledger, driver: Callable[..., Driver]
) -> None:
    studies = [ledger.create_study(f"study {n}", {}, HMEAN, {}).id for n in range(20)]
    for study in studies:
        ledger.acquire(study, NOBODY, HERE)
    racers = [driver(), driver()]
    for study in studies:
        for racer in racers:
            racer.tell(f"ledger.acquire({study}, os.getpid(), socket.gethostname())")
        answers = sorted(racer.answer().split("(")[0].split(" ")[0] for racer in racers)
        assert answers == ["Lease", "StudyInUse"]
    held = [row.lease.pid for row in ledger.studies() if row.lease is not None]
    assert set(held) <= {racer.pid for racer in racers} and len(held) == 20


def test_a_process_number_given_again_does_not_hold_the_study(ledger: Ledger, ledger_url: str, study: int) -> None:
    ledger.acquire(study, os.getpid(), HERE)
    change(ledger_url, "UPDATE sessions SET process_start = process_start - 9000")  # it was another process
    assert ledger.study("hrnet").status == "interrupted"
    other = Ledger(ledger_url)
    stale = other.acquire(study, os.getpid(), HERE)
    assert stale is not None and stale.pid == os.getpid()
    other.close()


@pytest.mark.parametrize("hours", [-2, 9])
def test_a_session_lasts_as_long_as_it_ran_whatever_sets_the_clock(
    ledger: Ledger, study: int, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.acquire(study, os.getpid(), HERE)
    ledger.add_trial(study, {}, gpus=1.0)
    right = LeaseTable.now
    monkeypatch.setattr(LeaseTable, "now", lambda table, connection: right(table, connection) + hours * 3600)
    monkeypatch.setattr("time.time", lambda: time.time_ns() / 1e9 + hours * 3600)
    ledger.beat(study)
    row = ledger.study("hrnet")
    assert 0.0 <= row.seconds < 60.0 and ledger.gpu_seconds(study, row.counted_until) < 60.0
    ledger.finish(study, 1, State.COMPLETED)
    ledger.release(study, "finished")
    assert 0.0 <= ledger.study("hrnet").seconds < 60.0 and ledger.gpu_seconds(study) < 60.0


@pytest.mark.parametrize("hours", [-2, 9])
def test_what_a_driver_leaves_that_dies_after_the_clock_was_set_counts_as_long_as_it_ran(
    ledger: Ledger, ledger_url: str, study: int, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.acquire(study, NOBODY, HERE)
    ledger.add_trial(study, {}, gpus=1.0)
    right = LeaseTable.now
    with monkeypatch.context() as patch:
        patch.setattr(LeaseTable, "now", lambda table, connection: right(table, connection) + hours * 3600)
        ledger.beat(study)
    other = Ledger(ledger_url)
    stale = other.acquire(study, os.getpid(), HERE)
    assert stale is not None and stale.pid == NOBODY
    assert 0.0 <= other.study("hrnet").seconds < 60.0 and other.gpu_seconds(study) < 60.0
    other.close()


@pytest.mark.parametrize("lives", [True, False])
def test_a_lease_elsewhere_that_is_dead_by_the_clock_is_watched_before_it_is_taken_over(
    ledger: Ledger, ledger_url: str, study: int, lives: bool
) -> None:
    ledger.acquire(study, 7, "elsewhere")
    change(ledger_url, "UPDATE sessions SET started = started - 9000, beat = beat - 7200, seconds = 10")
    sign = threading.Timer(0.2, change, (ledger_url, "UPDATE sessions SET seconds = 15"))
    other = Ledger(ledger_url)
    if lives:
        sign.start()
        with pytest.raises(StudyInUse, match="process 7 on elsewhere"):
            other.acquire(study, os.getpid(), HERE, watch=5.0)
    else:
        stale = other.acquire(study, os.getpid(), HERE, watch=0.5)
        assert stale is not None and stale.host == "elsewhere"
    other.close()


def test_a_suspended_driver_of_this_host_keeps_its_study_and_is_named_with_what_to_type(
    ledger: Ledger, ledger_url: str, study: int, driver: Callable[..., Driver]
) -> None:
    asleep = driver()
    assert asleep.do(f"ledger.acquire({study}, os.getpid(), socket.gethostname())") == "None"
    os.kill(asleep.pid, signal.SIGSTOP)
    silence(ledger_url, 75)
    with pytest.raises(StudyInUse, match=rf"no sign of it for 7\d s: .* kill -CONT {asleep.pid}, or end it with: kill"):
        ledger.acquire(study, os.getpid(), HERE)
    os.kill(asleep.pid, signal.SIGCONT)
    assert asleep.do(f"ledger.beat({study})") == "False"


def test_a_driver_of_another_host_that_slept_too_long_writes_nothing_more(
    ledger: Ledger, ledger_url: str, study: int, driver: Callable[..., Driver]
) -> None:
    asleep = driver()
    asleep.do(f"ledger.acquire({study}, os.getpid(), 'elsewhere')")
    asleep.do(f"ledger.add_trial({study}, {{'lr': 0.1}})")
    asleep.do(f"ledger.record({study}, 1, Report(1, {{'val/hmean': 0.5}}, 1.0, 1.0))")
    os.kill(asleep.pid, signal.SIGSTOP)
    silence(ledger_url, 40)
    with pytest.raises(StudyInUse):
        ledger.acquire(study, os.getpid(), HERE)
    silence(ledger_url, 25)
    stale = ledger.acquire(study, os.getpid(), HERE)
    assert stale is not None and (stale.pid, stale.host) == (asleep.pid, "elsewhere")
    before = ledger.study("hrnet"), ledger.trials(study)
    os.kill(asleep.pid, signal.SIGCONT)
    for act in (
        f"ledger.record({study}, 1, Report(2, {{'val/hmean': 0.9}}, 1.0, 1.0))",
        f"ledger.add_trial({study}, {{'lr': 0.2}})",
        f"ledger.beat({study})",
        f"ledger.finish({study}, 1, State.COMPLETED)",
        f"ledger.start_attempt({study}, 1)",
        f"ledger.set_test({study}, 1, {{'test/hmean': 0.9}})",
        f"ledger.set_facts({study}, 1, {{'device': 'cuda'}})",
        f"ledger.update_study({study}, facts={{'a': 1}})",
        f"ledger.revise({study}, raw={{}}, facts={{}}, left_out={{1: 'x'}}, extended={{}})",
    ):
        said = asleep.do(act)
        assert said.startswith(f"LeaseLost Study 'hrnet' was taken over by process {os.getpid()} on {HERE} since"), act
        assert "gave no sign of life for 60 s; it writes nothing more" in said
    assert asleep.do(f"ledger.release({study}, 'finished')") == "None"
    row = ledger.study("hrnet")
    assert (row.raw, row.facts, row.status, row.lease) == (before[0].raw, {}, "running", before[0].lease)
    assert ledger.trials(study) == before[1]
    ledger.record(study, 1, Report(2, {"val/hmean": 0.6}, 1.0, 1.0))


def test_a_driver_learns_that_another_took_its_study_and_has_ended_since(ledger_url: str, study: int) -> None:
    asleep, other = Ledger(ledger_url), Ledger(ledger_url)
    asleep.acquire(study, NOBODY, HERE)
    other.acquire(study, os.getpid(), HERE)
    other.release(study, "finished")
    with pytest.raises(LeaseLost, match="taken over by another process, which has ended since") as taken:
        asleep.beat(study)
    assert taken.value.lease is None
    for each in (asleep, other):
        each.close()


@pytest.mark.parametrize("clock", [3600.0, -3600.0])
def test_hosts_whose_clocks_differ_agree_on_who_lives(
    ledger: Ledger, ledger_url: str, study: int, driver: Callable[..., Driver], clock: float
) -> None:
    elsewhere = driver(clock=clock)
    elsewhere.do(f"ledger.acquire({study}, os.getpid(), 'elsewhere')")
    with pytest.raises(StudyInUse):
        ledger.acquire(study, os.getpid(), HERE)
    silence(ledger_url, 45)
    elsewhere.do(f"ledger.beat({study})")
    silence(ledger_url, 45)
    with pytest.raises(StudyInUse):
        ledger.acquire(study, os.getpid(), HERE)
    silence(ledger_url, 20)
    assert ledger.acquire(study, os.getpid(), HERE) is not None
    assert 0 <= ledger.study("hrnet").seconds < 300


def test_a_study_that_nobody_holds_is_written_to_by_anybody(ledger: Ledger, study: int) -> None:
    ledger.add_trial(study, {"lr": 0.1})
    ledger.finish(study, 1, State.COMPLETED)
    ledger.revise(study, raw={}, facts={}, left_out={}, extended={1: ({"lr": 0.1, "epochs": 9}, Extension(3, 3, 9))})
    trial = ledger.trial(study, 1)
    assert (trial.state, trial.config, trial.extended) == (
        State.PAUSED,
        {"lr": 0.1, "epochs": 9},
        (Extension(3, 3, 9),),
    )
