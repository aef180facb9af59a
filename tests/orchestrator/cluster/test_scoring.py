"""The scoring of the winner and of the baselines on a real Ray: what fails, hangs, dies or is stopped in it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.ledger import Ledger
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


def test_each_is_scored_once_and_a_finished_study_starts_no_ray(
    tune: Tune, scored: Callable[..., str], tmp_path: Path, home: Path
):
    file = scored()
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, ""), out
    assert out.count("scoring on the test split") == 2
    assert sorted(steps(tune)) == [(1, "completed", 1), (2, "completed", 1)]
    assert sorted(calls(tmp_path)) == ["called"] * 2 + ["scored"] * 2
    summary = shown(tune)
    assert all(trial["test"]["test/score"] > 0 for trial in summary["trials"])
    assert (home / "toy" / "trials" / "0002" / "examples" / "score.png").exists()
    assert not (home / "toy" / "trials" / "0001" / "examples").exists()
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, "") and "starting Ray" not in out
    ledger = Ledger(home / "ledger.db")  # as the version before left it: finished, and not scored
    ledger.close()


def test_a_scoring_that_raises_is_told_with_its_class_and_not_tried_again(
    tune: Tune, scored: Callable[..., str], tmp_path: Path
):
    file = scored({"test_fault": "error"})
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, ""), out
    assert "cannot be scored: exception: RuntimeError: toy: told to fail in epoch 0; see " in out
    assert sorted(steps(tune)) == [(1, "failed", 1), (2, "failed", 1)]
    code, out, err = ended(tune("show", "toy"))
    assert "trial 2 cannot be scored on the test split: exception: RuntimeError" in out
    code, out, err = ended(tune("show", "toy", "--trial", "2"))
    assert "it cannot be scored on the test split at epoch 2" in out and "in _fail" in out
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, "") and "starting Ray" not in out
    assert calls(tmp_path) == ["called"] * 2
    assert "was not scored on the test split" in (tmp_path / "runs" / "toy" / "report" / "report.html").read_text()


def test_hangs_are_watched_memory_is_halved_and_a_killed_worker_is_tried_again(
    tune: Tune, scored: Callable[..., str], tmp_path: Path, toy_study: Callable[..., Path]
):
    limits = {"hang_minutes": 0.05, "first_report_minutes": 0.1}
    file = scored({"test_fault": "hang"}, failures=limits | {"hangs": 1}, baselines=[], budget={"trials": 1})
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, ""), out
    assert "cannot be scored: hang: no report for 6 s; its stacks are in log.txt" in out
    assert steps(tune) == [(1, "failed", 1)]
    (tmp_path / "tally").unlink()
    file = scored({"test_fault": "memory", "fits": 2}, baselines=[], budget={"trials": 1})
    code, out, err = ended(tune("run", file, "--fresh"))
    assert (code, err) == (0, ""), out
    assert "scoring retried: out of memory: MemoryError" in out and "goes on with accumulation_steps 4" in out
    assert steps(tune) == [(1, "completed", 3)]
    (tmp_path / "tally").unlink()
    file = scored({"test_fault": "kill", "test_faults": 1}, baselines=[], budget={"trials": 1})
    code, out, err = ended(tune("run", file, "--fresh"))
    assert (code, err) == (0, ""), out
    assert "scoring retried: worker lost: the worker process died" in out
    assert steps(tune) == [(1, "completed", 2)]


def test_ctrl_c_and_the_deadline_end_a_scoring_and_the_same_command_goes_on(
    tune: Tune, scored: Callable[..., str], tmp_path: Path
):
    file = scored({"test_seconds": 20.0}, baselines=[], budget={"trials": 1})
    process = tune("run", file)
    wait_for(lambda: calls(tmp_path) == ["called"], 120)
    os.killpg(process.pid, signal.SIGINT)
    code, out, err = ended(process)
    assert (code, err) == (130, ""), out
    assert shown(tune)["status"] == "interrupted" and steps(tune) == [(1, "paused", 1)]
    assert calls(tmp_path) == ["called"]
    code, out, err = ended(tune("run", file, "--hours", "0.004"))
    assert (code, err) == (0, ""), out
    assert shown(tune)["status"] == "paused" and "the deadline came" in out
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, ""), out
    assert steps(tune) == [(1, "completed", len([word for word in calls(tmp_path) if word == "called"]))]
    assert calls(tmp_path).count("scored") == 1


def test_after_a_kill_of_the_driver_each_is_scored_once(
    tune: Tune, scored: Callable[..., str], tmp_path: Path, home: Path
):
    file = scored({"test_seconds": 5.0})
    process = tune("run", file)
    wait_for(lambda: calls(tmp_path).count("called") >= 1, 120)
    process.kill()
    process.wait()
    code, out, err = ended(tune("run", file))
    assert (code, err) == (0, ""), out
    summary = shown(tune)
    assert summary["status"] == "finished"
    assert sorted((step["trial"], step["state"]) for step in summary["steps"]) == [(1, "completed"), (2, "completed")]
    assert max(step["attempts"] for step in summary["steps"]) == 2
    assert all(trial["test"] for trial in summary["trials"])
