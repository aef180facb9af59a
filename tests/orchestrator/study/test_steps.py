"""Which steps are due once a search is over, and what becomes of them; without Ray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from orchestrator.checkpoints.open_storage import open_storage
from orchestrator.job import Ended, Failure, FailureClass, Job, JobKind
from orchestrator.step import Step
from orchestrator.study.steps import DueStep, due
from orchestrator.trial import Report, State, Status, Trial
from tests.harness.fake_cluster import FakeCluster, report

LOST = Failure(FailureClass.WORKER_LOST, "the worker process died")
OOM = Failure(FailureClass.OUT_OF_MEMORY, "OutOfMemoryError: too much")
RAISED = Failure(FailureClass.EXCEPTION, "KeyError: 'x'", "Traceback ...", "train.py:9")
SCORES = {"test/score": 0.5}


def trial(number: int, value: float, **fields: Any) -> Trial:
    return Trial(number, {}, State.COMPLETED, reports=(Report(1, {"val/score": value}, 1.0, 0.0, True),), **fields)


def step(number: int, of: int, state: State, epoch: int = 1) -> Step:
    return Step(number, JobKind.SCORE, of, epoch, state)


def found(trials: list[Trial], steps: list[Step], saved: int | None = 1) -> list[tuple[int, bool]]:
    best = max(trials, key=lambda t: t.reports[0].metrics["val/score"])
    return [(each.trial, each.pictures) for each in due(best, trials, steps, lambda _: saved)]


def test_the_winner_and_then_the_baselines_are_scored_and_the_winner_draws_pictures():
    trials = [trial(1, 0.5, baseline="by hand"), trial(2, 0.7), trial(3, 0.9)]
    assert found(trials, []) == [(3, True), (1, False)]
    assert found([trial(1, 0.9, baseline="by hand"), trial(2, 0.7)], []) == [(1, True)]
    assert due(None, [], [], lambda _: 1) == []


def test_what_was_scored_has_no_checkpoint_or_failed_is_not_due():
    trials = [trial(1, 0.5, baseline="by hand"), trial(2, 0.9)]
    assert found([trials[0], replace(trials[1], test={})], []) == [(1, False)]
    assert found(trials, [], saved=None) == []
    assert found(trials, [step(1, 2, State.FAILED)]) == [(1, False)]


def test_a_scoring_that_was_paused_or_was_of_another_checkpoint_is_due():
    trials = [trial(1, 0.9)]
    for state, epoch in ((State.PAUSED, 1), (State.FAILED, 3), (State.COMPLETED, 1)):
        assert found(trials, [step(1, 1, state, epoch)]) == [(1, True)]


def test_a_step_is_the_work_of_its_trial_and_its_epoch():
    work = DueStep(JobKind.SCORE, 2, 5)
    assert work.is_of(step(1, 2, State.RUNNING, 5))
    assert not work.is_of(step(1, 2, State.RUNNING, 4)) and not work.is_of(step(1, 3, State.RUNNING, 5))


@pytest.fixture
def searched(tmp_path: Path) -> Callable[..., FakeCluster]:
    """A study of one trial and one baseline whose search is over, with checkpoints."""

    def make(**sections: Any) -> FakeCluster:
        baselines = [{"name": "by hand", "lr": 1e-4}]
        settings = {"budget": {"trials": 2}, "baselines": baselines, "scheduler": {"name": "none"}} | sections
        d = FakeCluster(tmp_path, **settings)
        for _ in range(2):
            job = started(d)
            for epoch in range(1, 5):
                open_storage(None, tmp_path / "toy").write(job.number, epoch, lambda folder: None)
                d.study.report(job.number, report(job, epoch))
            d.study.complete(job.number)
        d.open()  # it looks at what is stored
        assert d.study.search_over
        return d

    return make


def started(d: FakeCluster) -> Job:
    job = d.study.next_job()
    assert job is not None
    return job


def test_a_study_is_finished_once_its_winner_and_its_baseline_are_scored(searched: Callable[..., FakeCluster]):
    d = searched()
    assert not d.study.finished
    first, second = started(d), started(d)
    assert {first.number, second.number} == {1, 2} and first.kind is second.kind is JobKind.SCORE
    assert (first.pictures, second.pictures) == (True, False)
    assert first.checkpoint_epoch == 4 and d.study.next_job() is None
    assert d.study.attempts_running == {first.ref, second.ref}
    for job in (first, second):
        d.study.end_step(job.ref.number, Ended(result=SCORES))
    assert d.study.finished and d.study.outcome == (Status.FINISHED, None)
    assert [t.test for t in d.ledger.trials(d.id)] == [SCORES, SCORES] == [t.test for t in d.study.trials]
    assert [(s.state, s.result, s.attempts) for s in d.ledger.steps.of(d.id)] == [(State.COMPLETED, SCORES, 1)] * 2
    assert d.open().finished


def test_a_scoring_that_fails_stands_in_the_ledger_and_is_not_tried_at_the_next_start(
    searched: Callable[..., FakeCluster],
):
    d = searched()
    first, second = started(d), started(d)
    d.study.end_step(first.ref.number, Ended(RAISED))
    d.study.end_step(second.ref.number, Ended(result=SCORES))
    assert d.study.finished and d.study.outcome == (Status.FINISHED, None)
    [failed, _] = d.ledger.steps.of(d.id)
    assert (failed.state, failed.reason, failed.error) == (State.FAILED, "exception: KeyError: 'x'", "Traceback ...")
    assert failed.failures[0].kind is FailureClass.EXCEPTION
    assert d.open().finished


def test_memory_that_ran_out_halves_the_micro_batch_of_a_scoring_too(searched: Callable[..., FakeCluster]):
    d = searched()
    job = started(d)
    d.study.end_step(job.ref.number, Ended(OOM))
    again = started(d)
    assert (again.ref.number, again.attempt, again.accumulation_steps) == (job.ref.number, 2, 2)
    d.open()  # the driver was killed here
    once_more = started(d)
    assert (once_more.ref.number, once_more.attempt, once_more.accumulation_steps) == (job.ref.number, 3, 2)
    for _ in range(2):
        d.study.end_step(once_more.ref.number, Ended(OOM))
        once_more = started(d)
    assert once_more.accumulation_steps == 8
    d.study.end_step(once_more.ref.number, Ended(OOM))
    assert d.ledger.steps.of(d.id)[0].state is State.FAILED


def test_lost_workers_are_forgiven_and_a_storage_that_is_full_is_waited_for(searched: Callable[..., FakeCluster]):
    d = searched()
    d.open(now=count(step=100).__next__)
    job = started(d)
    for attempt in (2, 3):
        d.study.end_step(job.ref.number, Ended(LOST))
        assert started(d).attempt == attempt
    d.study.end_step(job.ref.number, Ended(Failure(FailureClass.STORAGE, "the disk is full")))
    assert d.study.outage.reason == "the disk is full" and d.study.next_job() is None and not d.study.finished
    d.study.outage.end()
    assert started(d).attempt == 4
    d.study.end_step(job.ref.number, Ended(LOST))
    assert d.ledger.steps.of(d.id)[0].reason == "worker lost: the worker process died"
    assert d.ledger.steps.of(d.id)[0].state is State.FAILED


def test_a_stop_gives_up_what_is_scored_and_the_next_start_goes_on_with_it(searched: Callable[..., FakeCluster]):
    d = searched()
    job = started(d)
    assert d.study.give_up_steps() == set()
    d.study.stop("the deadline came")
    assert d.study.give_up_steps() == {job.ref}
    assert d.study.attempts_running == set() and d.study.give_up_steps() == set()
    assert d.study.outcome == (Status.PAUSED, "the deadline came")
    assert [(s.state, s.reason) for s in d.ledger.steps.of(d.id)] == [(State.PAUSED, "the deadline came")]
    d.open()
    again = started(d)
    assert (again.number, again.ref.number, again.attempt) == (job.number, job.ref.number, 2)


def test_gpu_hours_count_what_is_scored_and_end_it(searched: Callable[..., FakeCluster]):
    d = searched(budget={"trials": 2, "gpu_hours": 1.0})
    clock = [0.0]
    d.study.allowance._now = lambda: clock[0]
    d.study.allowance.gpus = 1.0
    job = started(d)
    clock[0] = 1800.0
    assert d.study.give_up_steps() == set()
    clock[0] = 3600.0
    assert d.study.give_up_steps() == {job.ref}
    assert d.study.outcome == (Status.PAUSED, "the 1 GPU-hours of the budget are used up")
    [scored] = d.ledger.steps.of(d.id)
    assert scored.state is State.PAUSED and d.ledger.gpu_seconds(d.id) > 0.0


def test_winner_and_baseline_whose_workers_die_each_time_fail_in_the_end(searched: Callable[..., FakeCluster]):
    d = searched()
    d.open(now=count(step=1000).__next__)
    ends = 0
    while not d.study.finished:
        for job in [job for job in (d.study.next_job(), d.study.next_job()) if job is not None]:
            d.study.end_step(job.ref.number, Ended(LOST))
            ends += 1
        assert ends < 50
    assert [step.state for step in d.ledger.steps.of(d.id)] == [State.FAILED] * 2
