"""What a study keeps of its checkpoints while trials lead, end, fail and go on after a corrupt one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.checkpoints.folder import Folder
from orchestrator.checkpoints.storage import Storage
from orchestrator.home import trial_directory
from orchestrator.job import Failure, FailureClass, Job
from orchestrator.policies.policy import Decision
from orchestrator.study.study import Study
from orchestrator.trial import Report, State
from tests.harness.fake_cluster import FakeCluster

NO_SCHEDULER = {"scheduler": {"name": "none"}}


def storage_of(cluster: FakeCluster) -> Storage:
    return Folder(cluster.directory / "toy")


def train(study: Study, job: Job, epoch: int, value: float, storage: Storage) -> Decision:
    """One epoch as a worker learns and reports it, with a checkpoint of 1000 bytes."""
    storage.write(job.number, epoch, lambda directory: (directory / "model.pt").write_bytes(bytes(1000)) and None)
    metrics = {"val/score": value, "train/loss": 1.0}
    decision = study.report(job.number, Report(epoch, metrics, 1.0, 0.0, checkpoint=True))
    study.tidy()
    return decision


def start(study: Study) -> Job:
    job = study.next_job()
    assert job is not None
    return job


def complete(study: Study, job: Job) -> None:
    study.complete(job.number)
    study.tidy()


def fail(study: Study, job: Job, kind: FailureClass, message: str) -> None:
    study.fail(job.number, Failure(kind, message))
    study.tidy()


def kept(storage: Storage) -> dict[int, list[int]]:
    return {number: sorted(epochs) for number, epochs in storage.sizes().items()}


def test_a_pruned_leader_keeps_its_checkpoint_until_the_next_one_can_fail_no_more(cluster: Callable[..., FakeCluster]):
    d = cluster()
    study, storage = d.study, storage_of(d)
    first, second = start(study), start(study)
    for epoch in (1, 2):
        train(study, first, epoch, 0.7, storage)
    assert train(study, second, 1, 0.69, storage) is Decision.PRUNE
    fail(study, first, FailureClass.NON_FINITE, "nan")
    assert kept(storage) == {second.number: [1]}  # pruned, but the best
    third = start(study)
    train(study, third, 1, 0.9, storage)
    assert study.best and study.best.number == third.number
    assert kept(storage) == {second.number: [1], third.number: [1]}  # the second would be best if the third failed
    fail(study, third, FailureClass.NON_FINITE, "nan")
    assert study.best and study.best.number == second.number
    assert kept(storage) == {second.number: [1]}
    fourth = start(study)
    for epoch in (1, 2, 3, 4):
        train(study, fourth, epoch, 0.9, storage)
    assert kept(storage) == {second.number: [1], fourth.number: [1, 3, 4]}
    complete(study, fourth)
    assert kept(storage) == {fourth.number: [1]}


def test_the_epochs_of_a_corrupt_checkpoint_are_learned_again_and_counted_once(cluster: Callable[..., FakeCluster]):
    d = cluster()
    study, storage = d.study, storage_of(d)
    job, other = start(study), start(study)
    for epoch, value in enumerate([0.3, 0.4, 0.5], start=1):
        train(study, job, epoch, value, storage)
    fail(study, job, FailureClass.WORKER_LOST, "the worker process died")
    (storage.read(job.number, 3) / "model.pt").write_bytes(b"rot")
    (storage.read(job.number, 2) / "model.pt").unlink()
    train(study, other, 1, 0.9, storage)  # meanwhile the first rung rose above what the first trial had there
    assert start(study).checkpoint_epoch == 3  # what the ledger names; its worker finds none that is whole
    assert train(study, job, 1, 0.31, storage) is Decision.CONTINUE  # it passed here before
    assert kept(storage)[job.number] == [1]  # those of later epochs are void
    for epoch, value in ((2, 0.41), (3, 0.51)):
        assert train(study, job, epoch, value, storage) is Decision.CONTINUE
    assert kept(storage)[job.number] == [2, 3]
    trial = study.trials[0]
    assert [(report.epoch, report.metrics["val/score"]) for report in trial.reports] == [
        (1, 0.31),
        (2, 0.41),
        (3, 0.51),
    ]
    assert len(d.ledger.history(d.id)) == 4
    assert [t.reports for t in d.open().trials] == [t.reports for t in study.trials]


def test_a_study_keeps_to_its_quota_and_lets_the_worst_go_first(cluster: Callable[..., FakeCluster]):
    d = cluster(**NO_SCHEDULER, checkpoints={"quota_gb": 4e-6})
    study, storage = d.study, storage_of(d)
    study.concurrency = 1
    for value in (0.5, 0.2, 0.9, 0.4):
        job = start(study)
        train(study, job, 1, value, storage)
        complete(study, job)
    assert kept(storage) == {1: [1], 2: [1], 3: [1], 4: [1]}
    job = start(study)
    train(study, job, 1, 0.1, storage)
    assert kept(storage) == {1: [1], 3: [1], 4: [1], 5: [1]}
    train(study, job, 2, 0.1, storage)
    assert kept(storage) == {1: [1], 3: [1], 5: [1, 2]}
    assert study.best and study.best.number == 3


def test_a_start_deletes_what_a_crash_did_not_let_go(cluster: Callable[..., FakeCluster]):
    d = cluster(**NO_SCHEDULER)
    study, storage = d.study, storage_of(d)
    job = start(study)
    for epoch in (1, 2):
        train(study, job, epoch, 0.9 / epoch, storage)
    d.ledger.finish(d.id, job.number, State.COMPLETED)  # the driver died before it could let go
    (trial_directory(d.directory / "toy", job.number) / "checkpoint" / ".epoch-0003.partial").mkdir()
    d.open()
    assert kept(storage) == {1: [1]}
    assert [p.name for p in (d.directory / "toy" / "trials" / "0001" / "checkpoint").iterdir()] == ["epoch-0001"]


def test_a_trial_whose_disk_is_full_is_paused_and_nothing_starts_until_it_has_room(cluster: Callable[..., FakeCluster]):
    d = cluster(**NO_SCHEDULER)
    study, storage = d.study, storage_of(d)
    first, second = start(study), start(study)
    train(study, first, 1, 0.5, storage)
    fail(study, first, FailureClass.STORAGE, "the disk of runs is full")
    assert study.disk_full == "the disk of runs is full"
    assert train(study, second, 1, 0.5, storage) is Decision.PAUSE
    assert [(t.state, t.reason) for t in study.trials] == [(State.PAUSED, "the disk of runs is full")] * 2
    assert study.next_job() is None and not study.done_starting
    study.disk_has_room()
    assert [(job.number, job.checkpoint_epoch) for job in (start(study), start(study))] == [(1, 1), (2, 1)]


def test_a_disk_that_refuses_again_and_again_is_tried_less_and_less_often(tmp_path: Path):
    clock = [1000.0]
    d = FakeCluster(tmp_path, **NO_SCHEDULER)
    study = Study(d.spec, d.study._trainable, d.ledger, d.id, tmp_path / "toy", concurrency=1, now=lambda: clock[0])
    study.begin()
    waits: list[Any] = []
    for _ in range(7):
        study.fail(start(study).number, Failure(FailureClass.STORAGE, "quota exceeded"))
        waits.append(study.disk_retry_at - clock[0])
        study.disk_has_room()
    assert waits == [30, 60, 120, 240, 480, 600, 600]
    assert [trial.state for trial in study.trials] == [State.PAUSED]
