"""A policy that pauses: trials wait, go on and are let go, in process and through real Ray, crash included."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.checkpoints.folder import Folder
from orchestrator.job import Ended, JobKind
from orchestrator.ledger import Ledger
from orchestrator.study.study import Study
from orchestrator.trial import PausedBy, Report, State, Status, Trial
from tests import freeze_thaw, toy
from tests.harness.fake_cluster import FakeCluster
from tests.harness.waiting import wait_for

EPOCHS = 8


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    monkeypatch.setattr("orchestrator.study.study.build_policy", freeze_thaw.build)
    space = {"lr": {"low": 1e-4, "high": 1.0, "log": True}, "epochs": EPOCHS}
    return FakeCluster(tmp_path, space=space, budget={"trials": 5})


def work(cluster: FakeCluster, most: int = 1000) -> int:
    """Does up to so many epochs with one worker, checkpoints included; returns how many were done."""
    study, storage, done = cluster.study, Folder(cluster.directory / "toy"), 0
    study.concurrency = 1
    while done < most and (job := study.next_job()) is not None:
        if job.kind is JobKind.SCORE:
            study.end_step(job.ref.number, Ended(result={"test/score": 0.5}))
            continue
        epoch, going = job.checkpoint_epoch or 0, True
        while going and epoch < EPOCHS:
            epoch += 1
            storage.write(job.number, epoch, lambda folder: (folder / "model").write_bytes(b"x") and None)
            score = toy.score_at(job.config["lr"], epoch)
            report = Report(epoch, {"val/score": score, "train/loss": 1 - score}, 1.0, 0.0, checkpoint=True)
            going = study.report(job.number, report) == "continue"
            study.tidy()
            done += 1
            if done == most:
                return done
        if going:
            study.complete(job.number)
            study.tidy()
    return done


def kept(cluster: FakeCluster) -> dict[int, list[int]]:
    return {n: sorted(sizes) for n, sizes in Folder(cluster.directory / "toy").sizes().items()}


def test_trials_pause_at_the_end_of_a_block_by_the_policy_and_keep_one_checkpoint(cluster: FakeCluster):
    assert work(cluster, 3 * freeze_thaw.BLOCK) == 6
    trials = cluster.study.trials
    assert [(t.state, t.paused_by, t.epochs, t.reason) for t in trials] == [
        (State.PAUSED, PausedBy.POLICY, 2, "its block ended at epoch 2")
    ] * 3
    best = cluster.study.best
    assert best is not None
    others = {number: epochs for number, epochs in kept(cluster).items() if number != best.number}
    assert set(map(tuple, others.values())) == {(2,)}


def test_the_best_goes_on_the_worst_of_too_many_is_let_go_and_the_search_ends(cluster: FakeCluster):
    work(cluster)
    study = cluster.study
    assert study.finished and study.outcome == (Status.FINISHED, None)
    by_state = {state: [t for t in study.trials if t.state is state] for state in State}
    assert len(study.trials) == 5 and not by_state[State.PAUSED] and not by_state[State.RUNNING]
    assert {t.reason for t in by_state[State.PRUNED]} <= {"more than 3 trials wait"}
    best = max(study.trials, key=lambda trial: toy.plateau(trial.config["lr"]))
    assert best.state is State.COMPLETED and best.epochs == EPOCHS


@pytest.mark.parametrize("crash_after", range(1, 30, 3))
def test_a_crash_at_any_epoch_ends_with_the_same_trials_as_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash_after: int
):
    monkeypatch.setattr("orchestrator.study.study.build_policy", freeze_thaw.build)
    ends = []
    for name in ("whole", "broken"):
        space = {"lr": {"low": 1e-4, "high": 1.0, "log": True}, "epochs": EPOCHS}
        cluster = FakeCluster(tmp_path / name, space=space, budget={"trials": 5})
        if name == "broken":
            work(cluster, crash_after)
            cluster.open()
        work(cluster)
        ends.append([(t.number, t.config, t.state, t.epochs, t.reason) for t in cluster.study.trials])
    assert ends[0] == ends[1]


def test_what_the_session_paused_goes_on_before_the_policy_is_asked(cluster: FakeCluster):
    work(cluster, 2 * freeze_thaw.BLOCK + 1)
    assert [t.state for t in cluster.study.trials] == [State.PAUSED, State.PAUSED, State.RUNNING]
    study = cluster.open()
    assert [t.paused_by for t in study.trials] == [PausedBy.POLICY, PausedBy.POLICY, PausedBy.SESSION]
    job = study.next_job()
    assert job is not None and (job.number, job.checkpoint_epoch) == (3, 1)


def test_without_a_checkpoint_a_trial_is_not_paused_but_goes_on_to_the_next_one(cluster: FakeCluster):
    study: Study = cluster.study
    job = study.next_job()
    assert job is not None
    for epoch, checkpoint, decision in ((1, False, "continue"), (2, False, "continue"), (4, True, "pause")):
        report = Report(epoch, {"val/score": 0.5, "train/loss": 0.5}, 1.0, 0.0, checkpoint=checkpoint)
        assert study.report(job.number, report) == decision


def test_a_policy_that_waits_for_nothing_is_a_bug_and_does_not_wait_for_ever(cluster: FakeCluster):
    cluster.study.policy.next = lambda *arguments, **named: freeze_thaw.Wait()  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="FreezeThaw waits, but nothing runs"):
        cluster.study.next_job()


@pytest.mark.ray
@pytest.mark.timeout(240)
def test_through_real_ray_trials_pause_go_on_and_survive_a_killed_driver(
    repository: Path, home: Path, toy_study: Callable[..., Path]
):
    file = toy_study(space={"epochs": EPOCHS, "seconds": 0.3}, budget={"trials": 5}, scheduler={"name": "none"})

    def start() -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "tests.freeze_thaw", "run", str(file), "--home", str(home)]
        return subprocess.Popen(
            words, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def trials() -> list[Trial]:
        if not (home / "ledger.db").exists():
            return []
        ledger = Ledger(home / "ledger.db")
        try:
            return [trial for row in ledger.studies() for trial in ledger.trials(row.id)]
        finally:
            ledger.close()

    def some_wait() -> Any:
        return sum(trial.paused_by is PausedBy.POLICY for trial in trials()) >= 2

    with start() as driver:
        wait_for(some_wait, 120)
        os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()
    before = {trial.number: trial.config for trial in trials()}
    with start() as driver:
        out, err = driver.communicate(timeout=200)
    assert driver.returncode == 0, out + err
    ended = trials()
    assert len(ended) == 5 and all(trial.state.final for trial in ended)
    assert {number: config for trial in ended if (number := trial.number) in before for config in [trial.config]} == (
        before
    )
    best = max(ended, key=lambda trial: toy.plateau(trial.config["lr"]))
    assert best.state is State.COMPLETED and [report.epoch for report in best.reports] == list(range(1, EPOCHS + 1))
    for trial in ended:
        for report in trial.reports:
            assert report.metrics["val/score"] == pytest.approx(toy.score_at(trial.config["lr"], report.epoch))
    assert any(trial.attempts > 1 for trial in ended)
