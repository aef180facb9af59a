"""Checks that a hang is told from a lost worker, with a clock that the test sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cluster.hangs import FROZEN_AFTER, LONGEST_TICK, HangWatch, stacks_in
from orchestrator.job import FailureClass, Silence

SILENCE = Silence(limit=60.0, longest=0.0, factor=10.0, floor=5.0)


class Clock:
    """Tells the time that the test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> HangWatch:
    return HangWatch(clock)


def wait(watch: HangWatch, clock: Clock, seconds: float) -> None:
    """Lets time pass as in a driver, which looks every second."""
    for _ in range(round(seconds)):
        clock.now += 1.0
        watch.tick()


def test_a_process_that_ended_before_its_limit_was_lost_and_at_its_limit_it_hung(watch: HangWatch, clock: Clock):
    watch.begin("a", SILENCE)
    wait(watch, clock, 50)
    lost = watch.why_lost("a", Path("no.log"))
    assert (lost.kind, lost.message) == (FailureClass.WORKER_LOST, "the worker process died")
    wait(watch, clock, 10)
    hang = watch.why_lost("a", Path("no.log"))
    assert (hang.kind, hang.message) == (FailureClass.HANG, "no report for 60 s; the whole process stood still")


def test_each_report_sets_the_next_limit(watch: HangWatch, clock: Clock):
    watch.begin("a", SILENCE)
    wait(watch, clock, 50)
    watch.reported("a", epoch_seconds=2.0)
    wait(watch, clock, 18)
    assert watch.why_lost("a", Path("no.log")).kind is FailureClass.WORKER_LOST
    wait(watch, clock, 2)
    assert watch.why_lost("a", Path("no.log")).message.startswith("no report for 20 s")


def test_a_worker_that_does_not_end_itself_is_named_until_it_has_ended(watch: HangWatch, clock: Clock):
    watch.begin("a", SILENCE)
    watch.begin("b", SILENCE)
    wait(watch, clock, 60 + FROZEN_AFTER)
    watch.reported("b", 1.0)
    assert watch.frozen() == []
    wait(watch, clock, 1)
    assert watch.frozen() == ["a"]
    assert watch.frozen() == []
    wait(watch, clock, FROZEN_AFTER)
    assert watch.frozen() == ["a"]
    wait(watch, clock, FROZEN_AFTER)
    assert watch.frozen() == ["a", "b"]
    watch.end("a")
    watch.end("b")
    wait(watch, clock, 1000)
    assert watch.frozen() == []


def test_a_driver_that_was_asleep_does_not_blame_its_workers(watch: HangWatch, clock: Clock):
    watch.begin("a", SILENCE)
    clock.now += 3600.0  # A laptop was closed, or the driver was stopped with Ctrl-Z.
    watch.tick()
    assert watch.frozen() == []
    assert watch.why_lost("a", Path("no.log")).kind is FailureClass.WORKER_LOST
    wait(watch, clock, 60 - LONGEST_TICK)
    assert watch.why_lost("a", Path("no.log")).kind is FailureClass.HANG


def test_an_attempt_that_never_began_was_lost(watch: HangWatch):
    assert watch.why_lost("a", Path("no.log")).kind is FailureClass.WORKER_LOST


def test_the_stacks_of_the_last_attempt_are_found_and_those_of_an_earlier_one_are_not(tmp_path: Path):
    log = tmp_path / "log.txt"
    stacks = 'Timeout (0:00:03)!\nThread 0x01 (most recent call first):\n  File "a.py", line 1 in f\n'
    log.write_text("--- attempt 1\nepoch 1: {}\n" + stacks)
    assert stacks_in(log) == stacks
    log.write_text(log.read_text() + "--- attempt 2\nepoch 2: {}\n")
    assert stacks_in(log) is None
    assert stacks_in(tmp_path / "none.txt") is None
