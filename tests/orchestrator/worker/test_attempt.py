"""One attempt inside a worker, in a process of its own because it takes over standard output."""

from __future__ import annotations

import multiprocessing
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.home import epoch_directory, trial_directory
from orchestrator.job import Ended, FailureClass, Job, JobKind, Silence, Workplace
from orchestrator.trial import Report
from orchestrator.worker.attempt import Attempt
from orchestrator.worker.failure import is_out_of_memory
from orchestrator.worker.metrics import numbers_of
from tests import toy


def steps_of(
    directory: Path,
    config: dict[str, Any],
    checkpoint_epoch: int | None = None,
    storage: str | None = None,
    accumulation_steps: int | None = None,
    kind: JobKind = JobKind.TRAIN,
) -> list[Report | Ended]:
    """Everything that one attempt says, run in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (str(directory), config, checkpoint_epoch, storage, accumulation_steps, kind))


def _run(
    directory: str,
    config: dict[str, Any],
    checkpoint_epoch: int | None,
    storage: str | None,
    accumulation_steps: int | None,
    kind: JobKind,
) -> list[Report | Ended]:
    workplace = Workplace("tests.toy", {}, directory, "cpu", str(Path.cwd()), storage)
    job = Job(1, 1, config, 0, checkpoint_epoch, accumulation_steps, kind=kind, pictures=kind is JobKind.SCORE)
    attempt = Attempt(job, workplace)
    said: list[Report | Ended] = []
    while not said or isinstance(said[-1], Report):
        said.append(attempt.step())
    attempt.close()
    return said


def test_an_attempt_reports_every_epoch_and_then_its_end(tmp_path: Path):
    *reports, end = steps_of(tmp_path, {"lr": 0.1, "epochs": 3, "says": "good enough"})
    assert end == Ended(said="good enough")
    assert [report.epoch for report in reports] == [1, 2, 3]
    assert [report.metrics["val/score"] for report in reports] == pytest.approx(
        [toy.score_at(0.1, epoch) for epoch in (1, 2, 3)]
    )
    assert all(report.checkpoint for report in reports)


def test_an_attempt_from_a_checkpoint_goes_on_exactly_where_it_stood(tmp_path: Path):
    whole = steps_of(tmp_path, {"lr": 0.01, "epochs": 4})
    again = steps_of(tmp_path, {"lr": 0.01, "epochs": 4}, checkpoint_epoch=2)
    assert [(r.epoch, r.metrics) for r in again[:-1]] == [(r.epoch, r.metrics) for r in whole[2:-1]]


def test_an_attempt_at_a_scoring_ends_with_the_scores_of_exactly_its_checkpoint(tmp_path: Path):
    steps_of(tmp_path, {"lr": 0.1, "epochs": 3})
    [end] = steps_of(tmp_path, {"lr": 0.1, "epochs": 3}, checkpoint_epoch=2, kind=JobKind.SCORE)
    assert isinstance(end, Ended) and end.failure is None
    assert end.result == {"test/score": pytest.approx(0.98 * toy.score_at(0.1, 2))}
    directory = trial_directory(tmp_path, 1)
    assert (directory / "examples" / "score.png").exists()
    assert "--- scoring of epoch 2, attempt 1" in (directory / "log.txt").read_text()
    [raised] = steps_of(tmp_path, {"lr": 0.1, "test_fault": "error"}, checkpoint_epoch=2, kind=JobKind.SCORE)
    assert isinstance(raised, Ended) and raised.failure is not None
    assert (raised.failure.kind, raised.result) == (FailureClass.EXCEPTION, {})
    memory = {"lr": 0.1, "test_fault": "memory", "fits": 2}
    [short] = steps_of(tmp_path, memory, checkpoint_epoch=2, kind=JobKind.SCORE)
    assert isinstance(short, Ended) and short.failure is not None
    assert short.failure.kind is FailureClass.OUT_OF_MEMORY
    [spared] = steps_of(tmp_path, memory, checkpoint_epoch=2, accumulation_steps=4, kind=JobKind.SCORE)
    assert isinstance(spared, Ended) and spared.failure is None


def test_a_corrupt_checkpoint_gives_way_to_the_one_before_and_the_log_says_why(tmp_path: Path):
    whole = steps_of(tmp_path, {"lr": 0.01, "epochs": 4})
    (epoch_directory(trial_directory(tmp_path, 1), 3) / "state.json").write_text('{"epoch": 3, "score": 1.0}')
    left = epoch_directory(trial_directory(tmp_path, 1), 4).with_name(".epoch-0004.partial")
    left.mkdir()
    again = steps_of(tmp_path, {"lr": 0.01, "epochs": 4}, checkpoint_epoch=3)
    assert [(r.epoch, r.metrics) for r in again[:-1]] == [(r.epoch, r.metrics) for r in whole[2:-1]]
    assert not left.exists()
    log = (tmp_path / "trials" / "0001" / "log.txt").read_text()
    assert "attempt 1 from the checkpoint of epoch 2" in log
    assert (
        "--- the checkpoint of epoch 3 is corrupt: state.json has 26 bytes instead of 38; went on from the checkpoint "
        "of epoch 2\n"
    ) in re.sub(r"instead of \d+", "instead of 38", log)


@pytest.mark.parametrize("storage", [None, "folder", "url"])
def test_an_attempt_goes_on_from_wherever_checkpoints_are_kept(tmp_path: Path, storage: str | None):
    place = {None: None, "folder": str(tmp_path / "shared"), "url": (tmp_path / "bucket").as_uri()}[storage]
    whole = steps_of(tmp_path / "toy", {"lr": 0.01, "epochs": 4}, storage=place)
    again = steps_of(tmp_path / "toy", {"lr": 0.01, "epochs": 4}, checkpoint_epoch=2, storage=place)
    assert [(r.epoch, r.metrics) for r in again[:-1]] == [(r.epoch, r.metrics) for r in whole[2:-1]]
    assert storage is None or not list((tmp_path / "toy").rglob("state.json"))


@pytest.mark.parametrize("where", ["at its start", "after an epoch"])
def test_a_full_disk_ends_an_attempt_without_failing_its_trial(
    mount_disk: Callable[..., Path], fill_disk: Callable[[Path], Path], where: str
):
    disk = mount_disk("1m", "nr_inodes=64")
    steps_of(disk, {"lr": 0.1, "epochs": 1})
    taken = fill_disk(disk)
    for number in range(100):  # nor is there room for another file
        with suppress(OSError):
            (disk / f"empty-{number}").touch()
    said = steps_of(disk, {"lr": 0.1, "epochs": 3}, checkpoint_epoch=None if where == "at its start" else 1)
    [end] = said
    assert isinstance(end, Ended) and end.failure is not None
    assert end.failure.kind is FailureClass.STORAGE
    assert "is full: 0.0 MB are free" in end.failure.message or "No space left on device" in end.failure.message
    taken.unlink()
    for empty in disk.glob("empty-*"):
        empty.unlink()
    assert [r.epoch for r in steps_of(disk, {"lr": 0.1, "epochs": 3}, checkpoint_epoch=1)[:-1]] == [2, 3]


def test_what_a_trainable_raises_is_told_as_a_failure_with_its_traceback(tmp_path: Path):
    report, end = steps_of(tmp_path, {"lr": 0.1, "fail_at": 2})
    assert isinstance(report, Report)
    assert isinstance(end, Ended) and end.failure is not None
    assert end.failure.kind is FailureClass.EXCEPTION
    assert end.failure.message == "RuntimeError: toy: told to fail in epoch 2"
    assert "in _fail" in (end.failure.traceback or "")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA`"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (RuntimeError("the shapes do not fit"), False),
        (KeyError("CUDA out of memory"), False),
    ],
)
def test_libraries_run_out_of_memory_in_words_of_their_own(error: Exception, expected: bool):
    assert is_out_of_memory(error) == expected
    wrapped = RuntimeError("training failed")
    wrapped.__cause__ = error
    assert is_out_of_memory(wrapped) == expected


def test_torch_runs_out_of_memory_by_both_of_its_allocators():
    import torch

    assert is_out_of_memory(torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"))
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60)
    assert is_out_of_memory(raised.value)


@pytest.mark.parametrize("fault", ["hang", "spin"])
def test_a_worker_that_hangs_leaves_all_its_stacks_in_the_log_and_ends(tmp_path: Path, fault: str):
    config = {"lr": 0.1, "fail_at": 2, "fault": fault}
    process = multiprocessing.get_context("spawn").Process(target=_hang, args=(str(tmp_path), config))
    process.start()
    process.join(100)
    assert process.exitcode == 1
    log = (tmp_path / "trials" / "0001" / "log.txt").read_text()
    stacks = log.partition("Timeout (")[2]
    assert "epoch 1: " in log and "epoch 2: " not in log
    assert log.count("Thread 0x") == 2 and "in _fail" in stacks and "in _wait" in stacks
    line = next(line for line in stacks.splitlines() if "in _fail" in line)
    number = int(line.partition(" line ")[2].partition(" ")[0])
    assert {"hang": "time.sleep", "spin": "re.match"}[fault] in Path(toy.__file__).read_text().splitlines()[number - 1]


def _hang(directory: str, config: dict[str, Any]) -> None:
    threading.Thread(target=_wait, daemon=True).start()
    silence = Silence(limit=60.0, longest=0.0, factor=10.0, floor=0.5)
    attempt = Attempt(Job(1, 1, config, 0, None, silence=silence), Workplace("tests.toy", {}, directory, "cpu", "."))
    while isinstance(attempt.step(), Report):
        pass


def _wait() -> None:
    threading.Event().wait()


def test_what_took_the_place_of_accumulation_steps_reaches_the_trainable(tmp_path: Path):
    config = {"lr": 0.1, "epochs": 1, "fail_at": 1, "fault": "memory", "batch_size": 8, "fits": 2}
    assert len(steps_of(tmp_path, config, accumulation_steps=2)) == 1
    assert len(steps_of(tmp_path, config, accumulation_steps=4)) == 2


def test_a_trainable_that_exits_has_failed_and_its_worker_lives(tmp_path: Path):
    [end] = steps_of(tmp_path, {"lr": 0.1, "fail_at": 1, "fault": "leave"})
    assert isinstance(end, Ended) and end.failure is not None
    assert (end.failure.kind, end.failure.message) == (FailureClass.EXCEPTION, "SystemExit: 3")


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

    metrics = {"a": np.float32(0.5), "b": torch.tensor(2.0), "c": 3, "d": Decimal("0.25"), "e": np.array([[4.0]])}
    assert numbers_of(metrics) == {"a": 0.5, "b": 2.0, "c": 3.0, "d": 0.25, "e": 4.0}
    for array, shape in ((np.zeros((2, 3)), "(2, 3)"), (torch.zeros(4), "(4,)"), (np.zeros(0), "(0,)")):
        must = f"metric `val/acc` must be one number, but is an array of shape {shape}; yield its mean"
        with pytest.raises(TypeError, match=re.escape(must)):
            numbers_of({"val/acc": array})


@pytest.mark.parametrize("metrics", [None, 0.5, {"val/acc": "high"}, {"val/acc": None}, {"val/acc": [0.5]}])
def test_anything_else_is_refused_by_name(metrics: Any):
    with pytest.raises(TypeError, match="must"):
        numbers_of(metrics)
