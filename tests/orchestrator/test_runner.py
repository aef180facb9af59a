"""Whole studies on a real Ray, as a user runs them: the command in a process of its own, the toy as trainable."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.ledger import Ledger
from tests.harness.command import Tune, ended, shown

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]


def wait_for_reports(home: Path, count: int) -> None:
    """Until the ledger holds so many reports."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if (home / "ledger.db").exists():
            ledger = Ledger(home / "ledger.db")
            rows = ledger.studies()
            if rows and len(ledger.history(rows[0].id)) >= count:
                return
        time.sleep(0.1)
    raise AssertionError(f"no {count} reports came")


def assert_every_trial_counted_once(summary: dict[str, Any], trials: int) -> None:
    assert [trial["number"] for trial in summary["trials"]] == list(range(1, trials + 1))
    assert {trial["state"] for trial in summary["trials"]} <= {"completed", "pruned"}
    configs = [json.dumps(trial["config"], sort_keys=True) for trial in summary["trials"]]
    assert len(set(configs)) == trials
    for trial in summary["trials"]:
        assert [report["epoch"] for report in trial["reports"]] == list(range(1, trial["epochs"] + 1))


def test_a_study_runs_ends_starts_nothing_again_and_is_extended(tune: Tune, toy_study: Callable[..., Path], home: Path):
    several = {"gpu": 0, "cpu": 1}  # as many workers as there are cores
    baselines = [{"name": "by hand", "lr": 0.01}]
    file = str(toy_study(space={"epochs": 5}, budget={"trials": 8}, baselines=baselines, resources=several))
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, "")
    advised = json.loads((home / "toy" / "report" / "report.json").read_text())["studies"][0]["next"]["commands"]
    assert "report: " in out and f"next: {advised[0]}\n" in out
    summary = shown(tune)
    assert summary["status"] == "finished"
    assert_every_trial_counted_once(summary, 8)
    assert summary["trials"][0]["baseline"] == "by hand"
    assert summary["trials"][0]["state"] == "completed"
    best = summary["best"]
    assert best["value"] == max(trial["value"] for trial in summary["trials"])
    assert best["test"] == {"test/score": pytest.approx(0.98 * best["value"])}
    assert Path(best["checkpoint"], "state.json").exists()
    assert (home / "toy" / "report" / "report.html").exists()
    assert not (home / "toy" / ".ray").exists()

    page = home / "toy" / "report" / "report.html"
    os.utime(page, (0, 0))  # of a session before; a kill came before the one that ended the study wrote its own
    code, out, err = ended(tune("run", file, "--hours", "0"))  # Nothing came too late: it stays finished.
    assert (code, err) == (0, "")
    assert "no trial was started" in out
    assert shown(tune)["status"] == "finished"
    assert page.stat().st_mtime > 0
    assert shown(tune)["trials"] == summary["trials"]

    code, out, err = ended(tune("run", file, "--trials", "+4"))
    assert (code, err) == (0, "")
    longer = shown(tune)
    assert_every_trial_counted_once(longer, 12)
    unscored = [{key: trial[key] for key in ("config", "reports", "state")} for trial in longer["trials"][:8]]
    assert unscored == [{key: trial[key] for key in ("config", "reports", "state")} for trial in summary["trials"]]


def test_a_dying_worker_costs_its_trial_alone_and_mlflow_holds_exactly_what_show_prints(
    tune: Tune, toy_study: Callable[..., Path], home: Path
):
    space = {"epochs": 4, "fail_at": [0, 2], "fault": "kill", "fail_once": [False, True]}
    file = str(toy_study(space=space | {"lr": 0.1}, scheduler={"name": "none"}, budget={"trials": 4}))
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, "")
    ours = out.lower().replace("starting ray", "").replace("waiting for ray to start", "")
    assert "ray" not in ours
    summary = shown(tune)
    for trial in summary["trials"]:
        dies_always = trial["config"]["fail_at"] == 2 and not trial["config"]["fail_once"]
        assert trial["state"] == ("failed" if dies_always else "completed")
        if dies_always:
            assert trial["reason"].startswith(
                "worker lost: the worker process was killed by SIGKILL, as the kernel does"
            )
            assert trial["attempts"] == 3

    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("toy")
    runs = {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}
    trials = {trial["mlflow_run_id"]: trial for trial in summary["trials"]}
    [parent] = runs.keys() - trials.keys()
    statuses = {"completed": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
    assert runs[parent].info.status == "FINISHED"
    for run_id, trial in trials.items():
        run = runs[run_id]
        assert run.data.tags["mlflow.parentRunId"] == parent
        assert run.info.status == statuses[trial["state"]]
        assert {name: float(value) for name, value in run.data.params.items() if name == "lr"} == {
            "lr": trial["config"]["lr"]
        }
        names = {name for report in trial["reports"] for name in report} - {"epoch"}
        assert run.data.metrics.keys() == names | (trial["test"] or {}).keys() | {"best/val/score", "best_epoch"}
        for metric in names:
            sent = sorted((m.step, m.value) for m in client.get_metric_history(run_id, metric))
            assert sent == [(report["epoch"], report[metric]) for report in trial["reports"]]
        assert {name: run.data.metrics[name] for name in trial["test"] or {}} == (trial["test"] or {})
    artifacts = [artifact.path for artifact in client.list_artifacts(parent, "report")]
    assert "report/report.html" in artifacts


def test_kill_9_in_the_middle_then_the_same_command_finishes_the_study(
    tune: Tune, toy_study: Callable[..., Path], home: Path
):
    file = str(toy_study(space={"epochs": 6, "seconds": 0.15}, budget={"trials": 8}))
    process = tune("run", file)
    wait_for_reports(home, 3)
    process.kill()
    process.wait()
    assert shown(tune)["status"] == "interrupted"
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, ""), out
    summary = shown(tune)
    assert summary["status"] == "finished"
    assert_every_trial_counted_once(summary, 8)


def test_a_signal_to_the_whole_group_and_a_deadline_each_pause_the_trials_and_the_same_command_goes_on_detached(
    tune: Tune, toy_study: Callable[..., Path], home: Path
):
    file = str(toy_study(space={"epochs": 100, "seconds": 0.2}, scheduler={"name": "none"}, budget={"trials": 3}))
    process = tune("run", file)
    wait_for_reports(home, 3)
    other = tune("run", file, "--skip-preflight")  # meanwhile a second driver is turned away
    code, _, err = ended(other)
    assert code == 2
    assert str(process.pid) in err
    os.killpg(process.pid, signal.SIGHUP)  # a terminal that closes stops nothing
    wait_for_reports(home, 8)
    os.killpg(process.pid, signal.SIGTERM)  # as `timeout` does; Ctrl-C sends SIGINT in the same way
    code, out, err = ended(process)
    assert (code, err) == (130, "")
    assert "stopping: running trials pause at their next report" in out
    paused = shown(tune)
    assert paused["status"] == "interrupted"
    assert {trial["state"] for trial in paused["trials"]} == {"paused"}
    code, out, err = ended(tune("run", file, "--hours", "0.006", "--detach"))
    assert (code, err) == (0, "")
    assert "toy runs as process" in out and "toy: up to 3 trials, until " in out
    assert shown(tune)["status"] == "running"
    code, out, err = ended(tune("attach", "toy"))
    assert (code, err) == (0, "")
    assert "the deadline came" in out and "report: " in out
    assert out.endswith("toy does not run any more: paused (the deadline came); see tune show toy\n")
    later = shown(tune)
    assert later["status"] == "paused" and {trial["state"] for trial in later["trials"]} == {"paused"}
    for before, after in zip(paused["trials"], later["trials"], strict=False):
        assert after["reports"][: before["epochs"]] == before["reports"]


def test_a_study_in_which_every_trial_fails_exits_with_1_and_says_why(tune: Tune, toy_study: Callable[..., Path]):
    file = str(toy_study(space={"fail_at": 1}, budget={"trials": 2}))
    code, out, err = ended(tune("run", file))
    assert (code, err) == (1, "")
    assert "RuntimeError: toy: told to fail in epoch 1" in out
    code, out, _ = ended(tune("show", "toy", "--trial", "1"))
    assert code == 0
    assert "Traceback" in out and "in _fail" in out
