"""Attempts on a real Ray that end as they should not: each fault is caused for real, in a study as a user runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.ledger import Ledger
from tests.harness.command import Tune, ended, shown

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]


def test_hangs_memory_and_exceptions_each_have_their_end_and_the_study_goes_on(
    tune: Tune, toy_study: Callable[..., Path], home: Path
):
    faults = {"freeze": 2, "spin": 2, "memory": 2, "error": 1}  # and the attempts that follow
    space = {"lr": 0.1, "epochs": 3, "fail_at": 2, "fault": list(faults), "fail_once": True, "fits": 2}
    patience = {"hang_minutes": 0.05, "first_report_minutes": 1}  # 3 s from the first report on
    file = toy_study(space=space, scheduler={"name": "none"}, budget={"trials": 4}, failures=patience)
    code, out, err = ended(tune("run", str(file)))
    assert (code, err) == (0, ""), out
    summary = shown(tune)
    trials = {trial["config"]["fault"]: trial for trial in summary["trials"]}
    assert summary["failures"] == {"exception": 1, "out_of_memory": 1, "hang": 2}
    for fault, attempts in faults.items():
        assert trials[fault]["state"] == ("failed" if fault == "error" else "completed"), fault
        assert trials[fault]["attempts"] == attempts
        if fault != "error":
            assert [report["epoch"] for report in trials[fault]["reports"]] == [1, 2, 3]
    assert "; its stacks are in log.txt" in out  # it held the GIL
    assert "; the whole process stood still" in out
    ledger = Ledger(home / "ledger.db")
    assert ledger.trial(ledger.study("toy").id, trials["memory"]["number"]).accumulation_steps == 2
    log = (home / "toy" / "trials" / f"{trials['spin']['number']:04d}" / "log.txt").read_text()
    assert "Timeout (0:00:03" in log and "in _fail" in log


def test_a_worker_that_ray_kills_for_memory_ran_out_of_memory(
    tune: Tune, toy_study: Callable[..., Path], ray_folder: Path
):
    file = toy_study(space={"lr": 0.1, "seconds": 30.0, "batch_size": 2}, budget={"trials": 1})
    kills = {"RAY_memory_usage_threshold": "0.0001", "RAY_memory_monitor_refresh_ms": "250"}
    # A Ray of its own: one that lingers from the test before would not kill, and this one would kill in the next test.
    code, out, err = ended(tune("run", str(file), RAY_TMPDIR=str(ray_folder), **kills))
    assert (code, err) == (1, ""), out
    summary = shown(tune)
    assert summary["failures"] == {"out_of_memory": 2}
    reason = summary["trials"][0]["reason"]
    assert reason.startswith("out of memory: its machine ran out of memory, and Ray killed the worker; ")


def test_the_same_exception_over_and_over_stops_the_study_with_a_message_and_keeps_the_trials(
    tune: Tune, toy_study: Callable[..., Path]
):
    file = str(toy_study(space={"fail_at": 2, "epochs": 3}, scheduler={"name": "none"}, budget={"trials": 20}))
    code, out, err = ended(tune("run", file))
    assert (code, err) == (1, "")
    stop = "trials in a row failed alike: RuntimeError: toy: told to fail in epoch 2 at "
    assert stop in out and "next: mend that, and tune run" in out
    summary = shown(tune)
    assert summary["status"] == "failed" and stop in summary["reason"]
    assert 3 <= len(summary["trials"]) <= 6
    assert {trial["state"] for trial in summary["trials"]} == {"paused"}
    assert all(trial["checkpoint"] for trial in summary["trials"] if trial["epochs"])
