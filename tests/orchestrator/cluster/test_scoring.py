"""The scoring of the winner and of the baselines on a real Ray: what fails, hangs, dies or is stopped in it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import Tune, ended, shown
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]


@pytest.fixture
def scored(toy_study: Callable[..., Path], tmp_path: Path) -> Callable[..., str]:
    """Writes a study of one baseline, which is its winner, and one other trial."""

    def write(fails: dict[str, Any] | None = None, **sections: Any) -> str:
        space = {"lr": [0.1, 0.001], "epochs": 2} | (fails or {})
        settings = {
            "scheduler": {"name": "none"},
            "budget": {"trials": 2},
            "baselines": [{"name": "by hand", "lr": 0.001}],
            "data": {"tally": str(tmp_path / "tally")},
        }
        return str(toy_study(space=space, **settings | sections))

    return write


def calls(tmp_path: Path) -> list[str]:
    """What the hook `test` was called for, and what came of it."""
    tally = tmp_path / "tally"
    return tally.read_text().split() if tally.exists() else []


def steps(tune: Tune) -> list[tuple[int, str, int]]:
    return [(step["trial"], step["state"], step["attempts"]) for step in shown(tune)["steps"]]


def test_what_goes_wrong_in_a_scoring_is_told_with_its_class_and_tried_again_only_where_that_may_help(
    tune: Tune, scored: Callable[..., str], tmp_path: Path
):
    faults = {"kill": 1, "error": 99, "memory": 99, "hang": 99}  # in so many calls; the first has the best lr
    baselines = [
        {"name": fault, "lr": 0.1 if fault == "kill" else 0.001, "test_fault": fault, "test_faults": most}
        for fault, most in faults.items()
    ]
    space = {"test_fault": list(faults), "test_faults": list(set(faults.values())), "fits": 2}
    limits = {"hang_minutes": 0.05, "first_report_minutes": 0.1, "hangs": 1}
    file = scored(space, baselines=baselines, budget={"trials": 4}, failures=limits)
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, ""), out
    assert "scoring retried: worker lost: the worker process was killed by SIGKILL" in out
    assert "cannot be scored: exception: RuntimeError: toy: told to fail in epoch 0; see " in out
    assert "scoring retried: out of memory: MemoryError" in out and "goes on with accumulation_steps 4" in out
    assert "cannot be scored: hang: no report for 6 s; its stacks are in log.txt" in out
    assert sorted(steps(tune)) == [(1, "completed", 2), (2, "failed", 1), (3, "completed", 3), (4, "failed", 1)]
    code, out, err = ended(tune("show", "toy"))
    assert "trial 2 cannot be scored on the test split: exception: RuntimeError" in out
    code, out, err = ended(tune("show", "toy", "--trial", "2"))
    assert "it cannot be scored on the test split at epoch 2" in out and "in _fail" in out
    called = calls(tmp_path).count("called")
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, "") and "starting Ray" not in out
    assert calls(tmp_path).count("called") == called == 7
    assert "was not scored on the test split" in (tmp_path / "runs" / "toy" / "report" / "report.html").read_text()


def test_ctrl_c_a_deadline_and_a_kill_end_a_scoring_and_in_the_end_each_is_scored_once(
    tune: Tune, scored: Callable[..., str], tmp_path: Path, home: Path
):
    file = scored({"test_seconds": 8.0})
    process = tune("run", file)
    wait_for(lambda: calls(tmp_path) == ["called"], 120)
    os.killpg(process.pid, signal.SIGINT)
    code, out, err = ended(process)
    assert (code, err) == (130, ""), out
    assert shown(tune)["status"] == "interrupted" and calls(tmp_path) == ["called"]
    assert [(state, attempts) for _, state, attempts in steps(tune)] == [("paused", 1)]
    code, out, err = ended(tune("run", file, "--hours", "0.004"))  # 14.4 s, less than two scorings and the start
    assert (code, err) == (0, ""), out
    assert shown(tune)["status"] == "paused" and "the deadline came" in out
    before = calls(tmp_path).count("called")
    process = tune("run", file)
    wait_for(lambda: calls(tmp_path).count("called") > before, 120)
    process.kill()
    process.wait()
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, ""), out
    summary = shown(tune)
    assert summary["status"] == "finished" and all(trial["test"]["test/score"] > 0 for trial in summary["trials"])
    assert sorted((trial, state) for trial, state, _ in steps(tune)) == [(1, "completed"), (2, "completed")]
    assert calls(tmp_path).count("scored") == 2
    # The deadline and the kill may come before the hook is called.
    assert calls(tmp_path).count("called") <= sum(attempts for _, _, attempts in steps(tune)) <= 5
    assert (home / "toy" / "trials" / "0002" / "examples" / "score.png").exists()
    assert not (home / "toy" / "trials" / "0001" / "examples").exists()
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, "") and "starting Ray" not in out
