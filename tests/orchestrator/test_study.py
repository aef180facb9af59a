"""The heart of a study, driven without Ray: what runs next, what follows from a report, what a restart finds."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.job import Failure, FailureClass, Job
from orchestrator.ledger import Ledger
from orchestrator.schedulers import Decision
from orchestrator.study import Study
from orchestrator.study_file.study_spec import parse_study
from orchestrator.trial import Report, State
from tests import toy
from trainables import load_trainable


class Desk:
    """A study over a ledger of its own, and the means to start over as after a crash."""

    def __init__(self, directory: Path, **sections: Any) -> None:
        self.directory = directory
        self.spec = parse_study(
            {
                "study": "toy",
                "trainable": "tests.toy",
                "objective": {"metric": "val/score", "mode": "max"},
                "space": {"lr": {"low": 1e-4, "high": 1.0, "log": True}, "epochs": 4},
                "scheduler": {"name": "asha", "eta": 2},
                "budget": {"trials": 6},
            }
            | sections,
            "toy.yaml",
        )
        self.ledger = Ledger(directory / "ledger.db")
        self.id = self.ledger.create_study("toy", self.spec.raw, self.spec.objective.objective, {}).id
        self.study = self.open()

    def open(self) -> Study:
        trainable = load_trainable("tests.toy")
        self.study = Study(self.spec, trainable, self.ledger, self.id, self.directory / "toy", concurrency=2)
        return self.study


@pytest.fixture
def desk(tmp_path: Path) -> Callable[..., Desk]:
    return lambda **sections: Desk(tmp_path, **sections)


def report(job: Job, epoch: int, value: float | None = None, checkpoint: bool = True) -> Report:
    score = toy.score_at(job.config["lr"], epoch) if value is None else value
    return Report(epoch, {"val/score": score, "train/loss": 1 - score}, 1.0, 0.0, checkpoint)


def finish(study: Study, job: Job, until: int = 4) -> None:
    """Train one job as a worker would."""
    for epoch in range((job.checkpoint_epoch or 0) + 1, until + 1):
        if study.report(job.number, report(job, epoch)) is not Decision.CONTINUE:
            return
    study.complete(job.number)


def run_out(study: Study) -> None:
    while (job := study.next_job()) is not None:
        finish(study, job)


def test_as_many_trials_run_as_fit_and_no_more_than_the_budget_allows(desk: Callable[..., Desk]):
    study = desk().study
    jobs = [study.next_job(), study.next_job(), study.next_job()]
    assert [job and job.number for job in jobs] == [1, 2, None]
    assert jobs[0] is not None and jobs[1] is not None
    finish(study, jobs[0])
    run_out(study)
    finish(study, jobs[1])
    assert len(study.trials) == 6
    assert study.finished
    assert all(trial.state.final for trial in study.trials)


def test_baselines_come_first_under_their_names_and_are_never_pruned(desk: Callable[..., Desk]):
    baselines = [{"name": "by hand", "lr": 0.1}, {"name": "too low", "lr": 1e-4}]
    study = desk(baselines=baselines).study
    run_out(study)
    assert [(t.baseline, t.config["lr"], t.state) for t in study.trials[:2]] == [
        ("by hand", 0.1, State.COMPLETED),
        ("too low", 1e-4, State.COMPLETED),
    ]


def test_the_same_seed_and_one_worker_give_the_same_configs(tmp_path: Path):
    studies = [Desk(tmp_path / name) for name in ("a", "b")]
    for desk in studies:
        desk.study.concurrency = 1
        run_out(desk.study)
    first, second = ([trial.config for trial in desk.study.trials] for desk in studies)
    assert first == second


def test_a_trial_of_its_last_epoch_is_completed_and_not_pruned(desk: Callable[..., Desk]):
    study = desk().study
    good, bad = study.next_job(), study.next_job()
    assert good and bad
    for epoch in range(1, 5):
        study.report(good.number, report(good, epoch, 0.9))
    for epoch, value in ((1, 0.95), (2, 0.95), (3, 0.95)):
        assert study.report(bad.number, report(bad, epoch, value)) is Decision.CONTINUE
    study.report(good.number, report(good, 4, 0.99))
    assert study.report(bad.number, report(bad, 4, 0.1)) is Decision.CONTINUE
    study.complete(bad.number)
    assert study.trials[1].state is State.COMPLETED


def test_a_value_that_is_no_number_fails_the_trial_with_its_epoch(desk: Callable[..., Desk]):
    study = desk().study
    job = study.next_job()
    assert job
    study.report(job.number, report(job, 1))
    assert study.report(job.number, report(job, 2, math.nan)) is Decision.PRUNE
    [trial] = study.trials
    assert (trial.state, trial.reason) == (State.FAILED, "non-finite: `train/loss` is nan at epoch 2")
    assert study.best is None


def test_a_report_without_the_objective_fails_the_trial_and_names_what_came(desk: Callable[..., Desk]):
    study = desk().study
    job = study.next_job()
    assert job
    study.report(job.number, Report(1, {"val/acc": 0.5}, 1.0, 0.0))
    assert study.trials[0].reason == "exception: epoch 1 must report `val/score`, but reported val/acc"


def test_a_lost_worker_is_retried_from_its_checkpoint_and_given_up_after_three_in_a_row(desk: Callable[..., Desk]):
    study = desk().study
    study.concurrency = 1
    job = study.next_job()
    assert job
    study.report(job.number, report(job, 1, checkpoint=True))
    lost = Failure(FailureClass.WORKER_LOST, "the worker process died")
    for attempt in (2, 3):
        study.fail(job.number, lost)
        again = study.next_job()
        assert again and (again.number, again.attempt, again.checkpoint_epoch) == (1, attempt, 1)
    study.fail(job.number, lost)
    assert study.trials[0].state is State.FAILED
    assert study.trials[0].reason == "worker lost: the worker process died"


def test_stopping_pauses_every_trial_at_its_next_report_and_starts_none(desk: Callable[..., Desk]):
    d = desk()
    first, second = d.study.next_job(), d.study.next_job()
    assert first and second
    d.study.stop("the deadline came")
    assert d.study.report(first.number, report(first, 1)) is Decision.PAUSE
    assert d.study.next_job() is None
    assert [trial.state for trial in d.study.trials] == [State.PAUSED, State.RUNNING]
    d.study.report(second.number, report(second, 1))
    again = d.open()
    jobs = [again.next_job(), again.next_job()]
    assert [(job.number, job.checkpoint_epoch, job.attempt) for job in jobs if job] == [(1, 1, 2), (2, 1, 2)]


def test_after_a_crash_finished_trials_stay_and_running_ones_go_on_from_what_the_ledger_names(
    desk: Callable[..., Desk],
):
    d = desk()
    first, second = d.study.next_job(), d.study.next_job()
    assert first and second
    finish(d.study, first)
    d.study.report(second.number, report(second, 1, 0.999))
    d.study.report(second.number, report(second, 2, 0.999, checkpoint=False))
    again = d.open()  # the driver was killed here
    job = again.next_job()
    assert job and (job.number, job.attempt, job.checkpoint_epoch) == (2, 2, 1)
    assert again.trials[0] == d.study.trials[0] or again.trials[0].state is State.COMPLETED
    for epoch in (2, 3, 4):  # epoch 2 is repeated, and counted once
        again.report(2, report(job, epoch, 0.999))
    again.complete(2)
    assert [r.epoch for r in again.trials[1].reports] == [1, 2, 3, 4]
    assert len(d.ledger.history(d.id)) == sum(trial.epochs for trial in again.trials)


def test_a_decision_that_a_crash_swallowed_is_made_up_for(desk: Callable[..., Desk]):
    d = desk()
    first, second = d.study.next_job(), d.study.next_job()
    assert first and second
    d.study.report(first.number, report(first, 1, 0.9))
    d.ledger.record(d.id, second.number, report(second, 1, 0.1))  # written, then the driver died
    again = d.open()
    assert again.trials[1].state is State.PRUNED


def test_a_finished_study_starts_nothing_and_a_larger_budget_goes_on(desk: Callable[..., Desk]):
    d = desk()
    run_out(d.study)
    before = d.study.trials
    assert d.open().next_job() is None
    d.spec = d.spec.model_copy(update={"budget": d.spec.budget.model_copy(update={"trials": 8})})
    again = d.open()
    run_out(again)
    assert len(again.trials) == 8
    assert [t.config for t in again.trials[:6]] == [t.config for t in before]


def test_a_space_that_is_used_up_ends_the_study(desk: Callable[..., Desk]):
    study = desk(space={"lr": [0.1, 0.01, 0.001], "epochs": 4}).study
    run_out(study)
    assert len(study.trials) == 3
    assert study.finished


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_study_that_crashes_anywhere_ends_like_an_undisturbed_one(data: st.DataObject, tmp_path_factory: Any):
    """One worker; between any two steps the driver may die. Trials, states and values are those without a crash."""
    calm = Desk(tmp_path_factory.mktemp("calm"))
    calm.study.concurrency = 1
    run_out(calm.study)
    stormy = Desk(tmp_path_factory.mktemp("stormy"))
    stormy.study.concurrency = 1
    crashes = 0
    job, epoch = None, 0
    while True:
        if crashes < 12 and data.draw(st.booleans()):
            crashes += 1
            stormy.open().concurrency = 1
            job = None
        if job is None:
            job = stormy.study.next_job()
            if job is None:
                break
            epoch = job.checkpoint_epoch or 0
        if epoch == 4:
            stormy.study.complete(job.number)
            job = None
            continue
        epoch += 1
        if stormy.study.report(job.number, report(job, epoch)) is not Decision.CONTINUE:
            job = None

    def outcome(study: Study) -> list[Any]:
        return [(t.number, t.config, t.state, [(r.epoch, r.metrics) for r in t.reports]) for t in study.trials]

    assert outcome(stormy.open()) == outcome(calm.study)
