"""Checks how a study waits for a full disk, and when it tries again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.checkpoints.open_storage import open_storage
from orchestrator.job import Failure, FailureClass, Job
from orchestrator.policies.policy import Decision
from orchestrator.study.outages import OWN_OUTAGES
from orchestrator.study.study import Study
from orchestrator.trial import State
from tests.harness.fake_cluster import FakeCluster, report, run_out
from trainables import load_trainable

FULL = Failure(FailureClass.STORAGE, "it does not answer")
NO_SCHEDULER = {"scheduler": {"name": "none"}}


def start(study: Study) -> Job:
    job = study.next_job()
    assert job is not None
    return job


def test_a_trial_whose_disk_is_full_is_paused_and_nothing_starts_until_it_has_room(cluster: Callable[..., FakeCluster]):
    study = cluster(**NO_SCHEDULER).study
    first, second = start(study), start(study)
    study.report(first.number, report(first, 1))
    study.fail(first.number, Failure(FailureClass.STORAGE, "the disk of runs is full"))
    assert study.outage.reason == "the disk of runs is full"
    assert study.report(second.number, report(second, 1)) is Decision.PAUSE
    assert [(t.state, t.reason) for t in study.trials] == [(State.PAUSED, "the disk of runs is full")] * 2
    assert study.next_job() is None and not study.done_starting
    study.outage.end()
    assert [(job.number, job.checkpoint_epoch) for job in (start(study), start(study))] == [(1, 1), (2, 1)]


def test_a_disk_that_refuses_again_and_again_is_tried_less_and_less_often(cluster: Callable[..., FakeCluster]):
    study = cluster(**NO_SCHEDULER).open(concurrency=1, now=lambda: 1000.0)
    study.outage._takes_files = lambda: False
    waits = []
    for _ in range(7):
        study.fail(start(study).number, Failure(FailureClass.STORAGE, "quota exceeded"))
        waits.append(study.outage.retry_at - 1000.0)
        study.outage.end()
    assert waits == [30, 60, 120, 240, 480, 600, 600]
    assert [trial.state for trial in study.trials] == [State.PAUSED]


def test_a_trial_that_cannot_write_though_the_storage_takes_files_fails_after_a_few_times_and_the_others_go_on(
    cluster: Callable[..., FakeCluster],
):
    study = cluster(**NO_SCHEDULER).open(concurrency=1)
    for times in range(4):
        job = start(study)
        assert job.number == 1
        study.fail(job.number, Failure(FailureClass.STORAGE, "no room left to write: /dev/full"))
        assert (study.outage.reason is None) == (times == 3)
        study.outage.end()
    assert study.trials[0].state is State.FAILED
    assert study.trials[0].reason == "storage: no room left to write: /dev/full"
    run_out(study)
    assert [trial.state for trial in study.trials[1:]] == [State.COMPLETED] * 5


def test_an_object_store_that_is_away_fails_no_trial_however_long_it_takes(
    cluster: Callable[..., FakeCluster], monkeypatch: pytest.MonkeyPatch
):
    c = cluster(**NO_SCHEDULER)
    monkeypatch.setattr("orchestrator.study.study.open_storage", lambda address, local: open_storage(None, local))
    trainable = load_trainable("tests.toy")
    study = Study(c.spec, trainable, c.ledger, c.id, c.directory / "toy", concurrency=1, storage="s3://bucket/runs")
    for _ in range(2 * OWN_OUTAGES):
        study.fail(start(study).number, FULL)
        study.outage.end()
    assert [trial.state for trial in study.trials] == [State.PAUSED]
