"""A study beside others, without Ray: what it starts, when a trial gives way, what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cluster.errors import RayUnavailable
from orchestrator.cluster.sharing import Claim
from orchestrator.cluster.study_service import StudyService
from orchestrator.job import Ended, Failure, FailureClass, Job
from orchestrator.ledger import Ledger
from orchestrator.study.study import Study
from orchestrator.study_file.study_spec import load_study
from orchestrator.trial import Report, State
from tests import toy
from trainables import load_trainable

TWO_CORES = [{"CPU": 2.0, "GPU": 0.0}]


@pytest.fixture
def study(tmp_path: Path, toy_study: Callable[..., Path]) -> Study:
    spec = load_study(
        toy_study(
            space={"epochs": 9}, scheduler={"name": "none"}, budget={"trials": 6}, resources={"gpu": 0, "cpu": 1}
        ),
        [],
    )
    ledger = Ledger(tmp_path / "ledger.db")
    row = ledger.create_study("toy", spec.raw, spec.objective.objective, {})
    study = Study(spec, load_trainable("tests.toy"), ledger, row.id, tmp_path / "toy", concurrency=2)
    study.begin()
    return study


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def service(study: Study, said: list[str]) -> StudyService:
    service = StudyService(study, gpu=0.0, say=said.append, where="this machine", turn=0.0)
    assert service.next_job() is None  # before it knows the cluster
    return service


def plates(*, wanted: int = 9, running: int = 0, since: float = 0.0) -> Claim:
    return Claim("b", "plates", 7, "here", 1.0, 0.0, wanted, running, since)


def report(job: Job, epoch: int, *, checkpoint: bool = True) -> Report:
    score = toy.score_at(job.config["lr"], epoch)
    return Report(epoch, {"val/score": score, "train/loss": 1 - score}, 1.0, 0.0, checkpoint)


def started(service: StudyService, count: int) -> list[Job]:
    jobs = [service.next_job() for _ in range(count)]
    assert all(jobs) and service.next_job() is None
    return [job for job in jobs if job is not None]


def test_a_study_alone_fills_the_machine_and_keeps_its_idle_workers(service: StudyService, said: list[str]):
    claim, may_start, _ = service.exchange("a", TWO_CORES, [], False)
    assert (claim.wanted, claim.running, may_start) == (2, 0, True)
    first, _ = started(service, 2)
    assert service.report(first.ref, report(first, 1))
    service.end(first.ref, Ended())
    assert not service.is_full() and not service.is_over() and said == []


def test_a_trial_gives_way_at_a_checkpoint_when_another_study_comes(
    service: StudyService, study: Study, said: list[str]
):
    service.exchange("a", TWO_CORES, [], False)
    first, second = started(service, 2)
    claim, _, _ = service.exchange("a", TWO_CORES, [plates()], False)
    assert claim.running == 2 and said == ["toy: shares this machine with plates (process 7 on here)"]
    assert service.report(first.ref, report(first, 1, checkpoint=False))  # its work would be lost
    assert not service.report(first.ref, report(first, 2))
    assert study.trials[0].state is State.PAUSED
    assert study.trials[0].reason == "gave way to plates (process 7 on here)"
    assert service.is_full() and not service.is_over()  # the worker that became free is the other's
    assert service.report(second.ref, report(second, 1)) and service.next_job() is None
    service.exchange("a", TWO_CORES, [], False)
    assert said[-1] == "toy: has this machine to itself again"
    [again] = started(service, 1)
    assert (again.number, again.checkpoint_epoch) == (first.number, 2)


def test_with_room_for_one_trial_the_next_is_the_others(service: StudyService, study: Study):
    one_core = [{"CPU": 1.0, "GPU": 0.0}]
    service.exchange("a", one_core, [plates(since=1.0)], False)
    [job] = started(service, 1)
    service.report(job.ref, report(job, 1))
    service.end(job.ref, Ended(Failure(FailureClass.EXCEPTION, "it broke")))
    assert service.next_job() is None and service.is_over()  # no worker is to hold the place
    claim, may_start, _ = service.exchange("a", one_core, [plates(since=1.0, running=1)], False)
    assert not may_start and claim.wanted == 1
    _, may_start, _ = service.exchange("a", one_core, [plates(since=claim.since + 1, running=1)], False)
    assert not may_start  # its turn, but the place is not free yet
    _, may_start, _ = service.exchange("a", one_core, [plates(since=claim.since + 1)], False)
    assert may_start and not study.done_starting


def test_a_late_word_of_an_attempt_that_ended_changes_nothing(service: StudyService, study: Study):
    service.exchange("a", TWO_CORES, [], False)
    [job, _] = started(service, 2)
    service.report(job.ref, report(job, 1))
    service.end(job.ref, Ended())
    service.end(job.ref, Ended(Failure(FailureClass.WORKER_LOST, "the worker process died")))
    assert study.trials[0].state is State.COMPLETED


def test_a_machine_that_does_not_see_the_folder_ends_the_session_with_two_ways_out(service: StudyService, study: Study):
    with pytest.raises(RayUnavailable, match=r"must see .*/toy, but node7 does not; name a --home .* `storage:`"):
        service.out_of_sight("node7")
