"""Beside a session's trials: a disk that fills up holds the study, and lets it go on when there is room again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.cluster.upkeep import Heart
from orchestrator.disk import free_bytes
from orchestrator.job import Failure, FailureClass
from orchestrator.ledger import Ledger, LedgerError, retry
from orchestrator.policies.scheduler import Decision
from orchestrator.study.study import Study
from orchestrator.trial import State
from tests.orchestrator.study.test_study import Desk, report, run_out

MountDisk = Callable[..., Path]
FillDisk = Callable[[Path], Path]
SECTIONS = {"scheduler": {"name": "none"}, "checkpoints": {"reserve_gb": 0.002}}


class Said(list[str]):
    """A progress display that keeps what it was told."""

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
def desk(mount_disk: MountDisk) -> Iterator[Desk]:
    """A study whose home is on a disk of 8 MB."""
    desk = Desk(mount_disk("8m"), **SECTIONS)
    yield desk
    desk.ledger.close()


def heart_of(desk: Desk, said: Said, ends: float | None = None) -> Heart:
    desk.ledger.acquire(desk.id, 1, "elsewhere")
    return Heart(desk.ledger, desk.id, desk.study, said, ends)


def take(desk: Desk, free: int) -> Path:
    """Somebody else's file, which leaves so many bytes free."""
    file = desk.directory / "somebody-elses-data"
    file.unlink(missing_ok=True)
    file.write_bytes(bytes(free_bytes(desk.directory) - free))
    return file


def test_a_disk_that_fills_up_pauses_the_study_until_there_is_room(desk: Desk, said: Said):
    heart, study = heart_of(desk, said), desk.study
    heart.beat()
    job = study.next_job()
    assert job and not said
    taken = take(desk, free=1_500_000)
    heart.beat()
    heart.beat()
    assert study.next_job() is None
    assert study.report(job.number, report(job, 1)) is Decision.PAUSE
    assert len(said) == 1 and f"the disk of {desk.directory} is full" in said[0] and "du -xsh" in said[0]
    assert desk.study.trials[0].reason == f"the disk of {desk.directory} is full: 1.5 MB are free, 2.5 MB must be"
    taken.unlink()
    heart.beat()
    assert said[1:] == ["trying again: there is room"]
    again = study.next_job()
    assert again and (again.number, again.checkpoint_epoch) == (job.number, 1)


def test_a_study_does_not_begin_on_a_full_disk_nor_go_on_with_just_the_reserve(desk: Desk, said: Said):
    take(desk, free=1_500_000)
    heart = heart_of(desk, said)
    assert desk.study.next_job() is None and len(said) == 1
    take(desk, free=2_200_000)  # it would soon be full again
    heart.beat()
    assert desk.study.held
    take(desk, free=2_600_000)
    heart.beat()
    assert desk.study.next_job() is not None


def test_what_a_worker_could_not_write_is_tried_again_when_its_time_has_come(tmp_path: Path, said: Said):
    clock = [1000.0]
    desk = Desk(tmp_path, **SECTIONS)
    study = Study(
        desk.spec, desk.study._trainable, desk.ledger, desk.id, tmp_path / "toy", concurrency=1, now=lambda: clock[0]
    )
    heart = Heart(desk.ledger, desk.id, study, said, None)
    job = study.next_job()
    assert job
    study.fail(job.number, Failure(FailureClass.STORAGE, "s3://bucket cannot be used for checkpoints: timeout"))
    study.held_until = time.time() + 3600
    heart.watch()
    assert study.next_job() is None
    assert said == [
        "s3://bucket cannot be used for checkpoints: timeout; nothing starts and running trials pause, until there is "
        "room again"
    ]
    study.held_until = time.time() - 1
    heart.watch()
    assert study.next_job() is not None


def test_the_deadline_ends_a_study_that_waits_for_room(desk: Desk, said: Said):
    take(desk, free=1_500_000)
    heart = heart_of(desk, said)
    heart.ends = time.time() - 1
    heart.beat()
    assert desk.study.stopping == "the deadline came" and desk.study.done_starting


# The ledger's own disk


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FULL_PAUSE_SECONDS", 0.01)


def test_a_report_that_the_ledger_has_no_room_for_is_written_once_there_is(
    mount_disk: MountDisk, fill_disk: FillDisk, quick: None
):
    home, told = mount_disk("4m"), []
    desk = Desk(home, **SECTIONS)
    ledger = Ledger(home / "ledger.db", patience=60.0, say=told.append)
    desk.ledger.close()
    desk.ledger = ledger
    study = desk.open()
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
    assert {trial.state for trial in ledger.trials(desk.id)} == {State.COMPLETED}
    assert [[r.epoch for r in trial.reports] for trial in ledger.trials(desk.id)] == [[1, 2, 3, 4]] * 6
    ledger.close()


def test_who_need_not_wait_any_more_is_told_that_every_report_before_is_safe(
    mount_disk: MountDisk, fill_disk: FillDisk, quick: None
):
    home = mount_disk("4m")
    desk = Desk(home, **SECTIONS)
    desk.ledger.close()
    desk.ledger = ledger = Ledger(home / "ledger.db", patience=60.0)
    study = desk.open()
    fill_disk(home)
    ledger.wait_for_room_unless(lambda: True)
    with pytest.raises(LedgerError, match="has no room left to write; free some and start again: every report before"):
        run_out(study)
    assert all(len(trial.reports) <= 4 for trial in ledger.trials(desk.id))
    ledger.close()
