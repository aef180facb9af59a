"""A machine that loses one worker after another: no trial is blamed, and all go on when it has recovered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.job import MACHINES_MEMORY, Failure, FailureClass, Job
from orchestrator.policies.policy import Decision
from orchestrator.study.study import Study
from orchestrator.trial import State, Status
from tests.harness.fake_cluster import FakeCluster, finish, report, run_out

LOST = Failure(FailureClass.WORKER_LOST, "the worker process died")


class Clock:
    """Tells the time that the test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def started(study: Study) -> Job:
    job = study.next_job()
    assert job is not None
    return job


def pause(study: Study, clock: Clock) -> float:
    """Waits until the study starts something again; returns the seconds that this took."""
    began = clock.now
    while study.held:
        clock.now += 1.0
    return clock.now - began


def lose_all(study: Study) -> list[int]:
    """Starts what may start, and loses every worker; returns the trials."""
    jobs = []
    while (job := study.next_job()) is not None:
        jobs.append(job.number)
    for number in jobs:
        study.fail(number, LOST)
    return jobs


def states(study: Study) -> list[State]:
    return [trial.state for trial in study.trials]


def test_a_machine_that_loses_every_worker_holds_the_study_longer_and_longer_and_no_trial_fails(
    cluster: Callable[..., FakeCluster], clock: Clock
):
    d = cluster(scheduler={"name": "none"})
    study = d.open(now=clock)
    finish(study, started(study))
    pauses = []
    for _ in range(8):
        assert lose_all(study)
        assert study.next_job() is None and not study.done_starting and study.lost_workers.reason
        pauses.append(pause(study, clock))
    assert pauses == [10, 20, 40, 80, 160, 320, 600, 600]
    assert set(states(study)[1:]) == {State.PAUSED}
    run_out(study)
    assert states(study) == [State.COMPLETED] * 6 and study.lost_workers.reason is None


def test_a_machine_whose_memory_another_program_eats_fails_no_trial_either(
    cluster: Callable[..., FakeCluster], clock: Clock
):
    study = cluster(scheduler={"name": "none"}).open(now=clock)
    killed = Failure(FailureClass.OUT_OF_MEMORY, "its machine ran out of memory", cause=MACHINES_MEMORY)
    for _ in range(6):
        for job in (started(study), started(study)):
            study.fail(job.number, killed)
        pause(study, clock)
    assert set(states(study)) == {State.PAUSED}
    assert study.trials[1].failures[-1].kind is FailureClass.WORKER_LOST  # by which a later start takes it up again
    run_out(study)
    assert states(study) == [State.COMPLETED] * 6


def test_workers_that_crash_by_themselves_are_the_fault_of_their_trials(
    cluster: Callable[..., FakeCluster], clock: Clock
):
    study = cluster(scheduler={"name": "none"}).open(now=clock)
    crashed = Failure(FailureClass.CRASH, "the worker process crashed with SIGSEGV", cause="SIGSEGV")
    for _ in range(3):
        for job in (started(study), started(study)):
            study.fail(job.number, crashed)
        assert study.lost_workers.reason is None
    assert states(study) == [State.FAILED, State.FAILED]


def test_with_one_worker_a_trial_that_failed_is_taken_back_when_the_next_one_is_lost_too(
    cluster: Callable[..., FakeCluster], clock: Clock
):
    study = cluster(scheduler={"name": "none"}).open(concurrency=1, now=clock)
    for _ in range(3):
        assert lose_all(study)[:1] == [1]
        pause(study, clock)
        if states(study)[0] is State.FAILED:
            break
    assert states(study) == [State.FAILED]
    assert lose_all(study) == [2]
    assert states(study) == [State.PAUSED, State.PAUSED]
    pause(study, clock)
    run_out(study)
    assert states(study) == [State.COMPLETED] * 6


def test_a_trial_whose_workers_die_while_others_report_fails_as_often_as_the_file_says(
    cluster: Callable[..., FakeCluster], clock: Clock
):
    study = cluster(scheduler={"name": "none"}).open(now=clock)
    bad, good = started(study), started(study)
    for epoch in (1, 2, 3):
        study.fail(bad.number, LOST)
        study.report(good.number, report(good, epoch))
        assert study.lost_workers.reason is None
        if epoch < 3:
            assert started(study).number == bad.number
    assert study.trials[0].state is State.FAILED and study.trials[0].attempts == 3


def test_two_trials_that_kill_their_workers_let_others_show_that_the_machine_is_well(
    cluster: Callable[..., FakeCluster], clock: Clock
):
    study = cluster(scheduler={"name": "none"}).open(now=clock)
    for _ in range(3):
        assert lose_all(study) == [1, 2]
        pause(study, clock)
    third = started(study)
    assert third.number == 3
    study.report(third.number, report(third, 1))
    finish(study, third)
    for number in (4, 5, 6):
        job = started(study)
        assert job.number == number
        finish(study, job)
    first = started(study)
    study.fail(first.number, LOST)
    assert (first.number, study.trials[0].state) == (1, State.FAILED)


def test_two_trials_that_kill_their_workers_when_no_other_is_left_fail_after_a_while_and_go_on_at_the_next_start(
    cluster: Callable[..., FakeCluster], clock: Clock
):
    d = cluster(budget={"trials": 3}, scheduler={"name": "none"})
    d.open(now=clock)
    finish(d.study, started(d.study))
    began = clock.now
    for _ in range(8):
        lose_all(d.study)
        pause(d.study, clock)
    assert states(d.study) == [State.COMPLETED, State.FAILED, State.FAILED] and clock.now - began <= 150
    run_out(d.open())
    assert states(d.study) == [State.COMPLETED] * 3


def test_what_failed_by_lost_workers_last_of_all_goes_on_at_the_next_start(
    cluster: Callable[..., FakeCluster], clock: Clock
):
    d = cluster(budget={"trials": 1}, scheduler={"name": "none"})
    d.open(now=clock)
    for _ in range(3):
        d.study.fail(started(d.study).number, LOST)
        pause(d.study, clock)
    assert d.study.finished and d.study.outcome[0] is Status.FAILED
    run_out(d.open())
    assert states(d.study) == [State.COMPLETED]


def test_a_machine_that_never_let_a_trial_report_ends_the_session_and_the_next_one_tries_again(
    cluster: Callable[..., FakeCluster], clock: Clock
):
    d = cluster(scheduler={"name": "none"})
    d.open(now=clock)
    while not d.study.stopping:
        assert lose_all(d.study)
        pause(d.study, clock)
    assert d.study.outcome[0] is Status.FAILED
    assert "workers in a row were lost without a report" in d.study.outcome[1]
    assert set(states(d.study)) == {State.PAUSED}
    run_out(d.open())
    assert states(d.study) == [State.COMPLETED] * 6


def test_what_runs_goes_on_while_nothing_starts(cluster: Callable[..., FakeCluster], clock: Clock):
    study = cluster(scheduler={"name": "none"}).open(concurrency=3, now=clock)
    first, second, third = started(study), started(study), started(study)
    study.fail(first.number, LOST)
    study.fail(second.number, LOST)
    assert study.next_job() is None
    assert study.report(third.number, report(third, 1)) is Decision.CONTINUE
    assert started(study).number == first.number
