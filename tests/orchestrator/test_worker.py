"""One attempt inside a worker, in a process of its own because it takes over standard output."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.job import Ended, FailureClass, Job, Workplace
from orchestrator.trial import Report
from orchestrator.worker import Attempt, numbers_of
from tests import toy


def steps_of(directory: Path, config: dict[str, Any], checkpoint_epoch: int | None = None) -> list[Report | Ended]:
    """Everything that one attempt says, run in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (str(directory), config, checkpoint_epoch))


def _run(directory: str, config: dict[str, Any], checkpoint_epoch: int | None) -> list[Report | Ended]:
    workplace = Workplace("tests.toy", {}, directory, "cpu", str(Path.cwd()))
    attempt = Attempt(Job(1, 1, config, 0, checkpoint_epoch), workplace)
    said: list[Report | Ended] = []
    while not said or isinstance(said[-1], Report):
        said.append(attempt.step())
    attempt.close()
    return said


def test_an_attempt_reports_every_epoch_and_then_its_end(tmp_path: Path):
    *reports, end = steps_of(tmp_path, {"lr": 0.1, "epochs": 3})
    assert end == Ended(None)
    assert [report.epoch for report in reports] == [1, 2, 3]
    assert [report.metrics["val/score"] for report in reports] == pytest.approx(
        [toy.score_at(0.1, epoch) for epoch in (1, 2, 3)]
    )
    assert all(report.checkpoint for report in reports)


def test_an_attempt_from_a_checkpoint_goes_on_exactly_where_it_stood(tmp_path: Path):
    whole = steps_of(tmp_path, {"lr": 0.01, "epochs": 4})
    again = steps_of(tmp_path, {"lr": 0.01, "epochs": 4}, checkpoint_epoch=2)
    assert [(r.epoch, r.metrics) for r in again[:-1]] == [(r.epoch, r.metrics) for r in whole[2:-1]]


def test_what_a_trainable_raises_is_told_as_a_failure_with_its_traceback(tmp_path: Path):
    report, end = steps_of(tmp_path, {"lr": 0.1, "fail_at": 2})
    assert isinstance(report, Report)
    assert isinstance(end, Ended) and end.failure is not None
    assert end.failure.kind is FailureClass.EXCEPTION
    assert end.failure.message == "RuntimeError: toy: told to fail in epoch 2"
    assert "in _fail" in (end.failure.traceback or "")


def test_out_of_memory_has_a_class_of_its_own(tmp_path: Path):
    [end] = steps_of(tmp_path, {"lr": 0.1, "fail_at": 1, "fault": "memory"})
    assert isinstance(end, Ended) and end.failure is not None
    assert end.failure.kind is FailureClass.OUT_OF_MEMORY


def test_everything_printed_is_in_the_trials_log(tmp_path: Path):
    steps_of(tmp_path, {"lr": 0.1, "epochs": 2, "fail_at": 2})
    log = (tmp_path / "trials" / "0001" / "log.txt").read_text()
    assert "attempt 1 from the start" in log
    assert "epoch 1: " in log
    assert "RuntimeError: toy: told to fail in epoch 2" in log


def test_numpy_and_torch_scalars_are_numbers():
    import numpy as np
    import torch

    metrics = {"a": np.float32(0.5), "b": torch.tensor(2.0), "c": 3}
    assert numbers_of(metrics) == {"a": 0.5, "b": 2.0, "c": 3.0}


@pytest.mark.parametrize("metrics", [0.5, {"val/acc": "high"}, {"val/acc": None}, {"val/acc": [0.5]}])
def test_anything_else_is_refused_by_name(metrics: Any):
    with pytest.raises(TypeError, match="must"):
        numbers_of(metrics)
