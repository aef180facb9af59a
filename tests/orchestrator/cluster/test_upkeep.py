"""Checks that a study waits while a disk is full, goes on when there is room again, and stops at its deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.cluster.upkeep import Upkeep
from orchestrator.disk import free_bytes
from orchestrator.job import Failure, FailureClass
from orchestrator.ledger import Ledger, LedgerError, retry
from orchestrator.policies.policy import Decision
from orchestrator.study.budget import Deadline
from orchestrator.study.study import Study
from orchestrator.trial import State, Status
from tests.harness.fake_cluster import FakeCluster, report, run_out

MountDisk = Callable[..., Path]
FillDisk = Callable[[Path], Path]
SECTIONS = {"scheduler": {"name": "none"}, "checkpoints": {"reserve_gb": 0.002}}


class Said(list[str]):
    """Keeps the lines that a progress display was told."""

    def begin(self, study: Study, deadline: float | None) -> None: ...
    def event(self, event: object) -> None: ...
    def tick(self) -> None: ...
    def end(self) -> None: ...

    def say(self, line: str) -> None:
        self.append(line)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def cluster(mount_disk: MountDisk) -> Iterator[FakeCluster]:
    """Yields a study whose home is on a disk of 8 MB."""
    cluster = FakeCluster(mount_disk("8m"), **SECTIONS)
    yield cluster
    cluster.ledger.close()


def upkeep_of(cluster: FakeCluster, said: Said, deadline: Deadline | None = None) -> Upkeep:
    cluster.ledger.acquire(cluster.id, 1, "elsewhere")
    return Upkeep(cluster.ledger, cluster.id, cluster.study, said, deadline)


def take(cluster: FakeCluster, free: int) -> Path:
    """Writes and returns somebody else's file, which leaves so many bytes free."""
    file = cluster.directory / "somebody-elses-data"
    file.unlink(missing_ok=True)
    file.write_bytes(bytes(free_bytes(cluster.directory) - free))
    return file


def test_a_disk_that_fills_up_pauses_the_study_until_there_is_room(cluster: FakeCluster, said: Said):
    upkeep, study = upkeep_of(cluster, said), cluster.study
    upkeep.beat()
    job = study.next_job()
    assert job and not said
    taken = take(cluster, free=1_500_000)
    upkeep.beat()
    upkeep.beat()
    assert study.next_job() is None
    assert study.report(job.number, report(job, 1)) is Decision.PAUSE
    assert len(said) == 1 and f"the disk of {cluster.directory} is full" in said[0] and "du -xsh" in said[0]
    assert cluster.study.trials[0].reason == f"the disk of {cluster.directory} is full: 1.5 MB are free, 2.5 MB must be"
    taken.unlink()
    upkeep.beat()
    assert said[1:] == ["trying again: there is room"]
    again = study.next_job()
    assert again and (again.number, again.checkpoint_epoch) == (job.number, 1)


def test_a_study_does_not_begin_on_a_full_disk_nor_go_on_with_just_the_reserve(cluster: FakeCluster, said: Said):
    take(cluster, free=1_500_000)
    upkeep = upkeep_of(cluster, said)
    assert cluster.study.next_job() is None and len(said) == 1
    take(cluster, free=2_200_000)  # With so little it would soon be full again.
    upkeep.beat()
    assert cluster.study.outage.reason
    take(cluster, free=2_600_000)
    upkeep.beat()
    assert cluster.study.next_job() is not None


def test_what_a_worker_could_not_write_is_tried_again_when_its_time_has_come(tmp_path: Path, said: Said):
    cluster = FakeCluster(tmp_path, **SECTIONS)
    upkeep, study = upkeep_of(cluster, said), cluster.study
    job = study.next_job()
    assert job
    study.fail(job.number, Failure(FailureClass.STORAGE, "s3://bucket cannot be used for checkpoints: timeout"))
    study.outage.retry_at = study.now() + 3600
    upkeep.watch_disks()
    assert study.next_job() is None
    assert said == [
        "s3://bucket cannot be used for checkpoints: timeout; nothing starts and running trials pause, until there is "
        "room again"
    ]
    study.outage.retry_at = study.now() - 1
    upkeep.watch_disks()
    assert study.next_job() is not None


def test_a_machine_that_loses_workers_is_told_of_once_and_once_when_it_has_recovered(tmp_path: Path, said: Said):
    cluster = FakeCluster(tmp_path, **SECTIONS)
    upkeep, study = upkeep_of(cluster, said), cluster.study
    jobs = [study.next_job(), study.next_job()]
    for job in jobs:
        assert job
        study.fail(job.number, Failure(FailureClass.WORKER_LOST, "the worker process died"))
        upkeep.beat()
        upkeep.beat()
    assert len(said) == 1 and said[0].startswith(
        "2 workers in a row were lost without a report: the worker process died"
    )
    study.lost_workers._now = lambda: time.monotonic() + 1e10
    job = study.next_job()
    assert job
    study.report(job.number, report(job, 1))
    upkeep.beat()
    assert said[1:] == ["workers report again; the trials go on"]


def test_the_deadline_ends_a_study_that_waits_for_room(cluster: FakeCluster, said: Said):
    take(cluster, free=1_500_000)
    upkeep = upkeep_of(cluster, said, Deadline(until=time.time() - 1))
    upkeep.beat()
    assert cluster.study.stopping == "the deadline came" and cluster.study.done_starting


def test_who_asks_on_another_host_for_the_study_to_stop_is_heard_with_the_next_sign_of_life(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("orchestrator.cluster.upkeep.BEAT_SECONDS", 0.0)
    cluster = FakeCluster(tmp_path, **SECTIONS)
    upkeep = upkeep_of(cluster, said)
    upkeep.beat()
    assert cluster.study.stopping is None
    asker = Ledger(tmp_path / "ledger.db")
    asker.ask_to_stop(cluster.id)
    asker.close()
    upkeep.beat()
    upkeep.beat()
    assert cluster.study.stopping == "interrupted" and cluster.study.outcome[0] is Status.INTERRUPTED
    assert said == ["asked to stop: running trials pause at their next report"]


# The disk of the ledger


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a ledger on a full disk try again at once."""
    monkeypatch.setattr(retry, "FULL_PAUSE_SECONDS", 0.01)


def test_a_report_that_the_ledger_has_no_room_for_is_written_once_there_is(
    mount_disk: MountDisk, fill_disk: FillDisk, quick: None
):
    home, told = mount_disk("4m"), []
    cluster = FakeCluster(home, **SECTIONS)
    ledger = Ledger(home / "ledger.db", patience=60.0, say=told.append)
    cluster.ledger.close()
    cluster.ledger = ledger
    study = cluster.open()
    taken = fill_disk(home)
    asked = []

    def somebody_makes_room() -> bool:
        asked.append(True)
        if len(asked) == 3:
            taken.unlink()
        return False

    ledger.wait_for_room_unless(somebody_makes_room)
    run_out(study)
    assert len(asked) == 3
    assert told == [
        f"{home}/ledger.db: has no room left to write; going on as soon as there is room, trials wait at their next "
        "report",
        "the ledger has room again; nothing was lost",
    ]
    assert {trial.state for trial in ledger.trials(cluster.id)} == {State.COMPLETED}
    assert [[r.epoch for r in trial.reports] for trial in ledger.trials(cluster.id)] == [[1, 2, 3, 4]] * 6
    ledger.close()


def test_who_need_not_wait_any_more_is_told_that_every_report_before_is_safe(
    mount_disk: MountDisk, fill_disk: FillDisk, quick: None
):
    home = mount_disk("4m")
    cluster = FakeCluster(home, **SECTIONS)
    cluster.ledger.close()
    cluster.ledger = ledger = Ledger(home / "ledger.db", patience=60.0)
    study = cluster.open()
    job = study.next_job()
    assert job
    study.report(job.number, report(job, 1))
    fill_disk(home)
    ledger.wait_for_room_unless(lambda: True)
    recorded = [1]
    with pytest.raises(LedgerError, match="has no room left to write; free some and start again: every report before"):
        for epoch in range(2, 1000):
            study.report(job.number, report(job, epoch))
            recorded.append(epoch)
    ledger.close()
    found = Ledger(home / "ledger.db")
    assert [each.epoch for each in found.trial(cluster.id, job.number).reports] == recorded
    found.close()
