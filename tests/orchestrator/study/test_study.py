"""A study, driven without Ray: what runs next, what follows from a report, what a restart finds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.checkpoints.open_storage import open_storage
from orchestrator.home import epoch_directory, trial_directory
from orchestrator.job import Failure, FailureClass, Job, JobKind
from orchestrator.ledger import Ledger
from orchestrator.policies.policy import Decision
from orchestrator.study.failures import every_failure
from orchestrator.study.proposals import is_used_up
from orchestrator.study.study import Study
from orchestrator.study_file.sections import BudgetSpec
from orchestrator.trial import Report, State, Status
from tests.harness.fake_cluster import FakeCluster, finish, report, run_out
from trainables import load_trainable

LOST = Failure(FailureClass.WORKER_LOST, "the worker process died")
HANG = Failure(FailureClass.HANG, "no report for 300 s")
OOM = Failure(FailureClass.OUT_OF_MEMORY, "OutOfMemoryError: too much")
RAISED = Failure(FailureClass.EXCEPTION, "KeyError: 'x'", "Traceback ...", "train.py:9")


def test_as_many_trials_run_as_fit_and_no_more_than_the_budget_allows(cluster: Callable[..., FakeCluster]):
    study = cluster().study
    jobs = [study.next_job(), study.next_job(), study.next_job()]
    assert [job and job.number for job in jobs] == [1, 2, None]
    assert jobs[0] is not None and jobs[1] is not None
    finish(study, jobs[0])
    run_out(study)
    finish(study, jobs[1])
    assert len(study.trials) == 6
    assert study.search_over
    assert all(trial.state.final for trial in study.trials)


def test_a_search_that_has_tried_the_whole_space_ends_and_says_so(cluster: Callable[..., FakeCluster], tmp_path: Path):
    study = cluster(space={"lr": [0.1, 0.2], "family": ["a", "b"], "epochs": 4}, budget={"trials": 50}).study
    run_out(study)
    assert len(study.trials) == 4
    assert study.outcome == (Status.FINISHED, "all 4 configs of the space were tried")
    assert is_used_up(study.outcome[1])
    (tmp_path / "one").mkdir()
    one = FakeCluster(tmp_path / "one", space={"lr": 0.1, "epochs": 4}, budget={"trials": 1}).study
    run_out(one)
    assert one.outcome == (Status.FINISHED, None)  # its budget ended it


def test_baselines_come_first_under_their_names_and_are_never_pruned(cluster: Callable[..., FakeCluster]):
    baselines = [{"name": "by hand", "lr": 0.1}, {"name": "too low", "lr": 1e-4}]
    study = cluster(baselines=baselines).study
    run_out(study)
    assert [(t.baseline, t.config["lr"], t.state) for t in study.trials[:2]] == [
        ("by hand", 0.1, State.COMPLETED),
        ("too low", 1e-4, State.COMPLETED),
    ]


def test_the_same_seed_and_one_worker_give_the_same_configs(tmp_path: Path):
    studies = [FakeCluster(tmp_path / name) for name in ("a", "b")]
    for cluster in studies:
        cluster.study.concurrency = 1
        run_out(cluster.study)
    first, second = ([trial.config for trial in cluster.study.trials] for cluster in studies)
    assert first == second


def test_a_trial_of_its_last_epoch_is_completed_and_not_pruned(cluster: Callable[..., FakeCluster]):
    study = cluster().study
    good, bad = study.next_job(), study.next_job()
    assert good and bad
    for epoch in range(1, 5):
        study.report(good.number, report(good, epoch, 0.9))
    for epoch, value in ((1, 0.95), (2, 0.95), (3, 0.95)):
        assert study.report(bad.number, report(bad, epoch, value)) is Decision.CONTINUE
    study.report(good.number, report(good, 4, 0.99))
    assert study.report(bad.number, report(bad, 4, 0.1)) is Decision.CONTINUE
    study.complete(bad.number)
    assert (study.trials[1].state, study.trials[1].reason) == (State.COMPLETED, "last epoch: 4 of 4")


def test_a_trial_that_ends_by_itself_keeps_the_reason_that_it_gave_or_the_epoch_where_it_ended(
    cluster: Callable[..., FakeCluster],
):
    study = cluster().study
    told, silent = study.next_job(), study.next_job()
    assert told and silent
    for job in (told, silent):
        study.report(job.number, report(job, 1, 0.9))
    study.complete(told.number, "stopped early:\nval/acc did not improve for 5 epochs")
    study.complete(silent.number)
    assert [trial.reason for trial in study.trials] == [
        "stopped early: val/acc did not improve for 5 epochs",
        "ended by itself after epoch 1 of 4",
    ]


def test_a_value_that_is_no_number_fails_the_trial_with_its_epoch(cluster: Callable[..., FakeCluster]):
    study = cluster().study
    job = study.next_job()
    assert job
    study.report(job.number, report(job, 1))
    assert study.report(job.number, report(job, 2, math.nan)) is Decision.PRUNE
    [trial] = study.trials
    assert (trial.state, trial.reason) == (State.FAILED, "non-finite: `train/loss` is nan at epoch 2")
    assert study.best is None


def test_a_report_without_the_objective_fails_the_trial_and_names_what_came(cluster: Callable[..., FakeCluster]):
    study = cluster().study
    job = study.next_job()
    assert job
    study.report(job.number, Report(1, {"val/acc": 0.5}, 1.0, 0.0))
    assert study.trials[0].reason == (
        "exception: epoch 1 must report `val/score`, but reported val/acc; did you mean `val/acc`?"
    )


def test_a_lost_worker_is_retried_from_its_checkpoint_and_given_up_after_three_in_a_row(
    cluster: Callable[..., FakeCluster],
):
    study = cluster().open(concurrency=1, now=count(step=100).__next__)
    job = study.next_job()
    assert job
    study.report(job.number, report(job, 1, checkpoint=True))
    for attempt in (2, 3):
        study.fail(job.number, LOST)
        again = study.next_job()
        assert again and (again.number, again.attempt, again.checkpoint_epoch) == (1, attempt, 1)
    study.fail(job.number, LOST)
    assert study.trials[0].state is State.FAILED
    assert study.trials[0].reason == "worker lost: the worker process died"


def test_stopping_pauses_every_trial_at_its_next_report_and_starts_none(cluster: Callable[..., FakeCluster]):
    d = cluster()
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


@pytest.mark.parametrize(
    "session",
    [
        lambda study: study.stop("the deadline came"),
        lambda study: study.outage.begin("the disk of runs is full"),
        lambda study: study.report(2, report_of(1, 0.99)),
    ],
    ids=["a stop", "a full disk", "a target that another trial reaches"],
)
def test_what_has_reported_its_last_epoch_comes_to_its_own_end_whatever_the_session_wants(
    cluster: Callable[..., FakeCluster], session: Callable[[Study], object]
):
    d = cluster(scheduler={"name": "none"}, budget={"trials": 2, "target": 0.99})
    first, second = started(d.study), started(d.study)
    for epoch in (1, 2, 3):
        d.study.report(first.number, report(first, epoch, 0.5, checkpoint=False))
    session(d.study)
    assert d.study.report(first.number, report(first, 4, 0.5, checkpoint=False)) is Decision.CONTINUE
    d.study.complete(first.number)
    assert d.study.trials[0].state is State.COMPLETED
    if d.study.trials[1].state is State.RUNNING:
        assert d.study.report(second.number, report(second, 1, 0.5)) is Decision.PAUSE


@pytest.mark.parametrize(
    "end",
    [
        lambda d: d.open(),
        lambda d: d.study.pause_all("interrupted"),
        lambda d: d.study.fail(1, LOST),
        lambda d: d.study.fail(1, HANG),
        lambda d: d.study.fail(1, Failure(FailureClass.STORAGE, "the disk of runs is full")),
        lambda d: (d.ledger.finish(d.id, 1, State.PAUSED, "interrupted"), d.open()),
    ],
    ids=["the driver is killed", "a second Ctrl-C", "its worker is lost", "it hangs", "a full disk", "paused before"],
)
def test_what_has_reported_its_last_epoch_is_completed_even_if_its_own_end_is_never_heard_of(
    cluster: Callable[..., FakeCluster], end: Callable[[FakeCluster], object]
):
    d = cluster()
    job = started(d.study)
    for epoch in range(1, 5):
        d.study.report(job.number, report(job, epoch, checkpoint=False))
    end(d)
    [trial] = d.ledger.trials(d.id)
    assert (trial.state, trial.epochs) == (State.COMPLETED, 4)


def test_a_trial_that_raises_after_its_last_epoch_has_failed(cluster: Callable[..., FakeCluster]):
    d = cluster()
    job = started(d.study)
    for epoch in range(1, 5):
        d.study.report(job.number, report(job, epoch))
    d.study.fail(job.number, RAISED)
    assert d.study.trials[0].state is State.FAILED


def test_after_a_crash_finished_trials_stay_and_running_ones_go_on_from_what_the_ledger_names(
    cluster: Callable[..., FakeCluster],
):
    d = cluster()
    first, second = d.study.next_job(), d.study.next_job()
    assert first and second
    finish(d.study, first)
    d.study.report(second.number, report(second, 1, 0.999))
    d.study.report(second.number, report(second, 2, 0.999, checkpoint=False))
    again = d.open()  # the driver was killed here
    job = again.next_job()
    assert job and (job.number, job.attempt, job.checkpoint_epoch) == (2, 2, 1)
    assert again.trials[0].state is State.COMPLETED
    assert again.trials[0].reports == d.study.trials[0].reports and again.trials[0].epochs == 4
    for epoch in (2, 3, 4):  # epoch 2 is repeated, and counted once
        again.report(2, report(job, epoch, 0.999))
    again.complete(2)
    assert [r.epoch for r in again.trials[1].reports] == [1, 2, 3, 4]
    assert len(d.ledger.history(d.id)) == sum(trial.epochs for trial in again.trials)


def test_a_decision_that_a_crash_swallowed_is_made_up_for(cluster: Callable[..., FakeCluster]):
    d = cluster()
    first, second = d.study.next_job(), d.study.next_job()
    assert first and second
    d.study.report(first.number, report(first, 1, 0.9))
    d.ledger.record(d.id, second.number, report(second, 1, 0.1))  # written, then the driver died
    again = d.open()
    assert again.trials[1].state is State.PRUNED


def test_a_finished_study_starts_nothing_and_a_larger_budget_goes_on(cluster: Callable[..., FakeCluster]):
    d = cluster()
    run_out(d.study)
    before = d.study.trials
    assert d.open().next_job() is None
    d.spec = d.spec.model_copy(update={"budget": d.spec.budget.model_copy(update={"trials": 8})})
    again = d.open()
    run_out(again)
    assert len(again.trials) == 8
    assert [t.config for t in again.trials[:6]] == [t.config for t in before]


def test_a_space_that_is_used_up_ends_the_study(cluster: Callable[..., FakeCluster]):
    study = cluster(space={"lr": [0.1, 0.01, 0.001], "epochs": 4}).study
    run_out(study)
    assert len(study.trials) == 3
    assert study.finished


def started(study: Study) -> Job:
    job = study.next_job()
    assert job is not None
    return job


def report_of(epoch: int, value: float) -> Report:
    return Report(epoch, {"val/score": value}, 1.0, 0.0, True)


def save(cluster: FakeCluster, job: Job, epoch: int) -> None:
    open_storage(None, cluster.directory / "toy").write(job.number, epoch, lambda folder: None)


def checkpoint(cluster: FakeCluster, number: int, epoch: int) -> Path:
    return epoch_directory(trial_directory(cluster.directory / "toy", number), epoch)


def test_out_of_memory_goes_on_from_the_checkpoint_with_half_the_micro_batch_and_a_restart_knows(
    cluster: Callable[..., FakeCluster],
):
    d = cluster()
    d.study.concurrency = 1
    job = started(d.study)
    assert job.accumulation_steps is None
    d.study.report(job.number, report(job, 1))
    d.study.fail(job.number, OOM)
    again = started(d.study)
    assert (again.number, again.checkpoint_epoch, again.accumulation_steps, again.config) == (1, 1, 2, job.config)
    d.study.fail(job.number, OOM)
    d.open()  # the driver was killed here
    assert started(d.study).accumulation_steps == 4
    assert d.study.trials[0].config == job.config
    assert every_failure(d.study.trials) == {"out_of_memory": 2}


def test_a_hang_is_tried_again_once_and_a_restart_remembers_it(cluster: Callable[..., FakeCluster]):
    d = cluster()
    d.study.concurrency = 1
    started(d.study)
    d.study.fail(1, HANG)
    assert (d.study.trials[0].state, d.study.trials[0].reason) == (State.PAUSED, "hang: no report for 300 s")
    d.open()
    assert started(d.study).number == 1
    d.study.fail(1, HANG)
    assert (d.study.trials[0].state, d.study.trials[0].reason) == (State.FAILED, "hang: no report for 300 s")


def test_three_trials_that_raise_alike_stop_the_study_and_go_on_with_their_checkpoints_when_it_is_mended(
    cluster: Callable[..., FakeCluster],
):
    d = cluster()
    d.study.concurrency = 1
    for number in (1, 2, 3):
        job = started(d.study)
        assert job.number == number
        save(d, job, 1)
        d.study.report(number, report(job, 1, 0.5))
        d.study.fail(number, RAISED)
    assert d.study.next_job() is None
    assert d.study.done_starting
    assert d.study.outcome == (Status.FAILED, "3 trials in a row failed alike: KeyError: 'x' at train.py:9")
    d.study.pause_all("")
    d.study.tidy()
    assert [trial.state for trial in d.ledger.trials(d.id)] == [State.PAUSED] * 3
    assert d.ledger.trial(d.id, 2).error == "Traceback ..."
    d.open()
    jobs = [started(d.study), started(d.study)]
    assert [(job.number, job.attempt, job.checkpoint_epoch) for job in jobs] == [(1, 2, 1), (2, 2, 1)]
    assert all(checkpoint(d, number, 1).is_dir() for number in (1, 2, 3))


def test_trials_that_raise_alike_fail_for_good_once_another_gets_further(cluster: Callable[..., FakeCluster]):
    d = cluster(scheduler={"name": "none"})
    d.study.concurrency = 1
    for number in (1, 2):
        job = started(d.study)
        save(d, job, 1)
        d.study.report(number, report(job, 1))
        d.study.fail(number, RAISED)
        assert checkpoint(d, number, 1).is_dir()
    finish(d.study, started(d.study))
    d.study.tidy()
    assert not checkpoint(d, 1, 1).exists() and not checkpoint(d, 2, 1).exists()
    started(d.study)
    d.study.fail(4, RAISED)
    assert not d.study.stopping
    assert [trial.state for trial in d.study.trials] == [State.FAILED, State.FAILED, State.COMPLETED, State.FAILED]


def test_a_target_that_is_reached_finishes_the_study_and_a_higher_one_goes_on(cluster: Callable[..., FakeCluster]):
    d = cluster(budget={"trials": 6, "target": 0.8})
    good, other = started(d.study), started(d.study)
    assert d.study.report(good.number, report(good, 1, 0.79)) is Decision.CONTINUE
    assert d.study.report(good.number, report(good, 2, 0.8)) is Decision.PAUSE
    assert d.study.next_job() is None
    assert d.study.report(other.number, report(other, 1, 0.79)) is Decision.PAUSE
    assert d.study.search_over
    assert d.study.outcome == (Status.FINISHED, "the target was reached: val/score 0.8")
    assert d.open().search_over
    d.spec = d.spec.model_copy(update={"budget": BudgetSpec(trials=6, target=0.99)})
    assert started(d.open()).number == good.number


def test_patience_ends_a_search_that_finds_nothing_better(cluster: Callable[..., FakeCluster]):
    d = cluster(budget={"patience": 3}, scheduler={"name": "none"})
    d.study.concurrency = 1
    clock = 0.0
    for value in (0.5, 0.4, 0.9, 0.6, 0.7, 0.8):
        job = started(d.study)
        for epoch in range(1, 5):
            clock += 1.0
            assert d.study.report(job.number, replace(report(job, epoch, value), at=clock)) is Decision.CONTINUE
        d.study.complete(job.number)
    assert started(d.study).kind is JobKind.SCORE  # The search is over: what is left is to score its winner.
    assert d.study.outcome == (Status.FINISHED, "3 trials ended since val/score last improved")
    assert d.open().search_over


def test_used_up_gpu_hours_pause_the_study_and_count_what_sessions_before_took(tmp_path: Path):
    d = FakeCluster(tmp_path, budget={"gpu_hours": 2.0}, resources={"gpu": 1})
    hours = 1000.0

    def opened() -> Study:
        study = Study(
            d.spec, load_trainable("tests.toy"), d.ledger, d.id, tmp_path, concurrency=2, now=lambda: 3600 * hours
        )
        study.begin()
        study.allowance.gpus = 1.0
        return study

    study = opened()
    first, second = started(study), started(study)
    hours += 0.9
    assert study.report(first.number, report(first, 1)) is Decision.CONTINUE
    hours += 0.2
    assert study.report(second.number, report(second, 1)) is Decision.PAUSE
    assert study.report(first.number, report(first, 2)) is Decision.PAUSE
    assert study.outcome == (Status.PAUSED, "the 2 GPU-hours of the budget are used up")
    assert {attempt.gpus for number in (1, 2) for attempt in d.ledger.attempts(d.id, number)} == {1.0}


def test_near_the_deadline_nothing_starts_that_would_not_get_far_enough_and_the_session_ends(tmp_path: Path):
    d = FakeCluster(tmp_path, scheduler={"name": "asha", "grace_epochs": 2})
    now = 1000.0
    study = Study(d.spec, load_trainable("tests.toy"), d.ledger, d.id, tmp_path, concurrency=1, now=lambda: now)
    study.begin()
    study.allowance.ends = 2000.0
    job = started(study)  # nothing is known yet
    for epoch in (1, 2, 3, 4):
        study.report(job.number, replace(report(job, epoch), seconds=50.0))
    study.complete(job.number)
    now = 1899.0
    job = started(study)  # a first rung takes 100 s
    now = 1901.0
    study.report(job.number, replace(report(job, 1), seconds=50.0))
    study.fail(job.number, LOST)
    again = started(study)  # an epoch takes 50
    assert (again.number, again.attempt) == (job.number, 2)
    for epoch in (2, 3, 4):
        study.report(job.number, replace(report(job, epoch), seconds=50.0))
    study.complete(job.number)
    assert study.next_job() is None
    assert study.done_starting
    assert study.outcome == (Status.PAUSED, "no trial would get far enough in what is left of the budget")


def test_while_others_run_a_session_that_can_start_nothing_waits_for_them(tmp_path: Path):
    d = FakeCluster(tmp_path)
    now = 1000.0
    study = Study(d.spec, load_trainable("tests.toy"), d.ledger, d.id, tmp_path, concurrency=3, now=lambda: now)
    study.begin()
    study.allowance.ends = 2000.0
    first, _ = started(study), started(study)
    study.report(first.number, replace(report(first, 1), seconds=900.0))
    now = 1500.0
    assert study.next_job() is None
    assert not study.stopping and not study.done_starting


class Died(Exception):
    """The driver was killed."""


class Mortal:
    """A ledger whose driver dies at one of its next writes: before it or after it."""

    WRITES = ("add_trial", "start_attempt", "record", "finish", "set_facts")

    def __init__(self, ledger: Ledger, instants: int) -> None:
        self._ledger, self._instants = ledger, instants

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)
        if name not in self.WRITES:
            return method

        def write(*arguments: Any, **named: Any) -> Any:
            self._pass()
            result = method(*arguments, **named)
            self._pass()
            return result

        return write

    def _pass(self) -> None:
        self._instants -= 1
        if self._instants == 0:
            raise Died


FAULTS = {"out_of_memory": OOM, "worker_lost": LOST, "hang": HANG}
MOST = 12  # troubles of one study
PATIENT = {"memory_halvings": 100, "lost_workers": 100, "hangs": 100}


def outcome(study: Study) -> list[Any]:
    return [(t.number, t.config, t.state, [(r.epoch, r.metrics) for r in t.reports]) for t in study.trials]


SPACE = {"lr": {"low": 1e-4, "high": 1.0, "log": True}, "epochs": 4, "batch_size": 2**200}


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> FakeCluster:
    """A study without any trouble, run to its end."""
    cluster = FakeCluster(tmp_path_factory.mktemp("calm"), space=SPACE, failures=PATIENT)
    cluster.study.concurrency = 1
    run_out(cluster.study)
    return cluster


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_study_with_crashes_and_faults_anywhere_ends_like_an_undisturbed_one(
    data: st.DataObject, calm: FakeCluster, tmp_path_factory: pytest.TempPathFactory
):
    """One worker. The driver dies between any two steps or at any write; memory runs out, workers hang and are lost;
    the study is extended; epochs have no checkpoint. Trials, states and values are those without all that."""
    stormy = FakeCluster(tmp_path_factory.mktemp("stormy"), space=SPACE, failures=PATIENT, budget={"trials": 3})
    caused: Counter[str] = Counter()
    troubles = 0

    def opened() -> Study:
        ledger: Any = Mortal(stormy.ledger, data.draw(st.integers(0, 15)) if troubles < MOST else 0)
        trainable, place = load_trainable("tests.toy"), stormy.directory / "toy"
        clock = count(step=1000).__next__  # pauses are over at once
        study = Study(stormy.spec, trainable, ledger, stormy.id, place, concurrency=1, now=clock)
        study.begin()
        return study

    study, job, epoch = None, None, 0
    while True:
        trouble = data.draw(st.sampled_from(["none", "crash", "extend", *FAULTS])) if troubles < MOST else "none"
        troubles += trouble != "none"
        try:
            if trouble == "extend":
                stormy.spec = calm.spec
            if study is None or trouble in ("crash", "extend"):
                job, epoch = None, 0
                study = opened()
            job = job or study.next_job()
            if job is None and stormy.spec is calm.spec:
                break
            if job is None:
                stormy.spec, study = calm.spec, None
                continue
            epoch = max(epoch, job.checkpoint_epoch or 0)
            if trouble in FAULTS:
                caused[trouble] += 1
                study.fail(job.number, FAULTS[trouble])
                job, epoch = None, 0
            elif epoch == 4:
                study.complete(job.number)
                job, epoch = None, 0
            else:
                epoch += 1
                said = report(job, epoch, checkpoint=data.draw(st.booleans()))
                if study.report(job.number, said) is not Decision.CONTINUE:
                    job, epoch = None, 0
        except Died:
            study, job, epoch, troubles = None, None, 0, troubles + 1
    ended = stormy.open()
    assert outcome(ended) == outcome(calm.study)
    counted = every_failure(ended.trials)
    assert all(counted.get(kind, 0) <= caused[kind] for kind in FAULTS)  # a driver that dies may not hear of it
