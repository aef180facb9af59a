"""Checks which checkpoints are kept: as a decision about one trial, and while a study works."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.checkpoints.folder import Folder
from orchestrator.checkpoints.retention import best_saved_epoch, epochs_to_keep, over_quota
from orchestrator.checkpoints.storage import Storage
from orchestrator.home import epoch_of, trial_directory
from orchestrator.job import Failure, FailureClass, Job
from orchestrator.policies.policy import Decision
from orchestrator.study.study import Study
from orchestrator.trial import Objective, Report, State, Trial
from tests.harness.fake_cluster import FakeCluster

OBJECTIVE = Objective("val/acc", "max")


def trial_of(
    values: list[float], state: State = State.RUNNING, saved: set[int] | None = None, number: int = 1
) -> Trial:
    reports = tuple(
        Report(epoch, {"val/acc": value}, 1.0, 0.0, saved is None or epoch in saved)
        for epoch, value in enumerate(values, start=1)
    )
    return Trial(number, {}, state, reports=reports)


@pytest.mark.parametrize(
    ("state", "winner", "kept"),
    [
        (State.RUNNING, False, {2, 4, 5}),  # These are the best and the newest two.
        (State.PAUSED, False, {2, 4, 5}),
        (State.COMPLETED, False, {2}),
        (State.PRUNED, False, set()),
        (State.PRUNED, True, {2}),
        (State.FAILED, False, set()),
    ],
)
def test_what_is_kept_depends_on_whether_the_trial_may_go_on_or_win(state: State, winner: bool, kept: set[int]):
    trial = trial_of([0.1, 0.9, 0.3, 0.4, 0.5], state)
    assert epochs_to_keep(trial, OBJECTIVE, range(1, 6), winner=winner) == kept


def test_the_best_among_the_saved_epochs_is_kept_when_the_best_epoch_was_not_saved():
    trial = trial_of([0.1, 0.9, 0.3, 0.4, 0.5], State.COMPLETED, saved={1, 4})
    assert epochs_to_keep(trial, OBJECTIVE, range(1, 6), winner=True) == {4}


def test_of_equal_epochs_the_latest_is_kept_because_it_learnt_most():
    plateau = trial_of([0.0] * 5, State.COMPLETED)
    assert epochs_to_keep(plateau, OBJECTIVE, range(1, 6), winner=True) == {5}
    assert best_saved_epoch(trial_of([0.2, 0.9, 0.9, 0.4]), OBJECTIVE) == 3
    report = plateau.best_report(OBJECTIVE)
    assert report is not None and report.epoch == 5


def test_the_newest_two_are_those_that_are_there():
    trial = trial_of([0.9, 0.3, 0.4, 0.5, 0.6])  # Epochs 4 and 5 were corrupt, and are trained again.
    assert epochs_to_keep(trial, OBJECTIVE, {1, 2, 3}, winner=False) == {1, 2, 3}
    assert best_saved_epoch(trial, OBJECTIVE, {2, 3}) == 3


@pytest.mark.parametrize(
    ("name", "epoch"), [("epoch-0012", 12), ("epoch-12345", 12345), (".epoch-0012.partial", None), ("epoch-", None)]
)
def test_only_a_whole_checkpoints_folder_has_an_epoch(name: str, epoch: int | None):
    assert epoch_of(name) == epoch


# Trial 3 leads, 4 led before it, 5 and 6 are finished and worse, 7 has just begun.
TRIALS = {
    trial.number: trial
    for trial in (
        trial_of([0.5, 0.9, 0.8, 0.8], number=3),
        trial_of([0.85], State.PRUNED, number=4),
        trial_of([0.2], State.COMPLETED, number=5),
        trial_of([0.6], State.COMPLETED, number=6),
        trial_of([0.1, 0.1], State.PAUSED, number=7),
    )
}
SIZES = {3: {2: 10, 3: 10, 4: 10}, 4: {1: 10}, 5: {1: 10}, 6: {1: 10}, 7: {1: 10, 2: 10}}
# The worst finished trials come first, then what unfinished ones can spare.
IN_ORDER = [(5, 1), (6, 1), (4, 1), (7, 1), (3, 3)]


@pytest.mark.parametrize("gone", range(len(IN_ORDER) + 1))
def test_the_worst_finished_trials_let_go_first_and_no_more_than_needed(gone: int):
    quota = 80 - 10 * gone
    assert over_quota(SIZES, TRIALS, OBJECTIVE, 3, quota) == IN_ORDER[:gone]
    assert over_quota(SIZES, TRIALS, OBJECTIVE, 3, quota + 9) == IN_ORDER[:gone]


def test_the_studys_best_and_the_newest_of_unfinished_ones_stay_whatever_the_quota():
    assert over_quota(SIZES, TRIALS, OBJECTIVE, 3, 0) == IN_ORDER


def test_where_less_is_better_the_worst_is_the_largest():
    trials = {n: trial_of([value], State.COMPLETED, number=n) for n, value in ((1, 0.1), (2, 0.9), (3, 0.5))}
    sizes = {n: {1: 1} for n in trials}
    assert over_quota(sizes, trials, Objective("val/acc", "min"), 1, 0) == [(2, 1), (3, 1)]


@given(st.data())
def test_what_is_left_fits_or_nothing_more_could_go(data: st.DataObject):
    numbers = data.draw(st.lists(st.integers(1, 9), unique=True, min_size=1))
    trials, sizes = {}, {}
    for number in numbers:
        values = data.draw(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=1, max_size=4))
        trials[number] = trial_of(values, data.draw(st.sampled_from(State)), number=number)
        epochs = data.draw(st.sets(st.integers(1, len(values)), min_size=1))
        sizes[number] = {epoch: data.draw(st.integers(0, 5)) for epoch in epochs}
    best, quota = data.draw(st.sampled_from(numbers)), data.draw(st.integers(0, 40))
    gone = over_quota(sizes, trials, OBJECTIVE, best, quota)
    left = {(n, e): size for n, epochs in sizes.items() for e, size in epochs.items() if (n, e) not in gone}
    assert len(set(gone)) == len(gone)
    must_stay = {(n, max(epochs)) for n, epochs in sizes.items() if not trials[n].state.final}
    must_stay.add((best, best_saved_epoch(trials[best], OBJECTIVE, sizes[best])))
    assert must_stay <= left.keys()
    assert sum(left.values()) <= quota or left.keys() == must_stay
    if gone:
        number, epoch = gone[-1]
        assert sum(left.values()) + sizes[number][epoch] > quota


# With a study that decides


NO_SCHEDULER = {"scheduler": {"name": "none"}}


def storage_of(cluster: FakeCluster) -> Storage:
    return Folder(cluster.directory / "toy")


def train(study: Study, job: Job, epoch: int, value: float, storage: Storage) -> Decision:
    """Trains and reports one epoch as a worker does, with a checkpoint of 1000 bytes."""
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
    assert kept(storage) == {second.number: [1]}  # It was pruned, but is the best.
    third = start(study)
    train(study, third, 1, 0.9, storage)
    assert study.best and study.best.number == third.number
    assert kept(storage) == {second.number: [1], third.number: [1]}  # The second would be the best if the third failed.
    fail(study, third, FailureClass.NON_FINITE, "nan")
    assert study.best and study.best.number == second.number
    assert kept(storage) == {second.number: [1]}
    fourth = start(study)
    for epoch in (1, 2, 3, 4):
        train(study, fourth, epoch, 0.9, storage)
    assert kept(storage) == {second.number: [1], fourth.number: [3, 4]}
    complete(study, fourth)
    assert kept(storage) == {fourth.number: [4]}


def test_the_epochs_of_a_corrupt_checkpoint_are_learned_again_and_counted_once(cluster: Callable[..., FakeCluster]):
    d = cluster()
    study, storage = d.study, storage_of(d)
    job, other = start(study), start(study)
    for epoch, value in enumerate([0.3, 0.4, 0.5], start=1):
        train(study, job, epoch, value, storage)
    fail(study, job, FailureClass.WORKER_LOST, "the worker process died")
    (storage.read(job.number, 3) / "model.pt").write_bytes(b"rot")
    (storage.read(job.number, 2) / "model.pt").unlink()
    train(study, other, 1, 0.9, storage)  # Meanwhile the first rung rose above the value of the first trial.
    assert start(study).checkpoint_epoch == 3  # The ledger names it; the worker will not find it whole.
    assert train(study, job, 1, 0.31, storage) is Decision.CONTINUE  # It passed here before.
    assert kept(storage)[job.number] == [1]  # Those of later epochs are void.
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
    d.ledger.finish(d.id, job.number, State.COMPLETED)  # The driver died before it could delete any.
    (trial_directory(d.directory / "toy", job.number) / "checkpoint" / ".epoch-0003.partial").mkdir()
    d.open()
    assert kept(storage) == {1: [1]}
    assert [p.name for p in (d.directory / "toy" / "trials" / "0001" / "checkpoint").iterdir()] == ["epoch-0001"]
