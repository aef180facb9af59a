"""Checks that a checkpoint in a folder is whole or absent, whatever process dies at any instant."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from orchestrator.checkpoints.folder import Folder
from orchestrator.checkpoints.manifest import CorruptCheckpoint
from orchestrator.checkpoints.retention import Retention, best_saved_epoch
from orchestrator.checkpoints.storage import Storage, StorageError, newest_whole
from orchestrator.ledger import Ledger
from orchestrator.trial import Objective, Report
from tests.harness.checkpoint_files import fill_with

OBJECTIVE = Objective("val/acc", "max")


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Folder(tmp_path / "toy")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_checkpoint_appears_under_its_name_only_when_it_is_whole(storage: Storage, tmp_path: Path):
    def fill_half(directory: Path) -> None:
        fill_with("half")(directory)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        storage.write(1, 1, fill_half)
    assert storage.sizes() == {}
    storage.write(1, 1, fill_with("whole"))
    assert names(tmp_path / "toy" / "trials" / "0001" / "checkpoint") == ["epoch-0001"]
    assert (storage.read(1, 1) / "state.json").read_text() == "whole"
    assert storage.sizes() == {1: {1: 100_005}} == storage.sizes(1)


FILLS: dict[str, Callable[[Path], object]] = {
    "moves its folder": lambda folder: shutil.move(folder, folder.parent.parent / "elsewhere"),
    "removes it": shutil.rmtree,
    "removes more than that": lambda folder: shutil.rmtree(folder.parent.parent),
    "puts a file in its place": lambda folder: (folder.rmdir(), folder.write_text("weights")),
    "puts a link in its place": lambda folder: (folder.rename(folder.with_name("moved")), folder.symlink_to("moved")),
}


@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS.keys())
def test_a_fill_that_does_not_leave_its_folder_in_its_place_is_told_so_and_the_storage_is_not_blamed(
    storage: Storage, tmp_path: Path, fill: Callable[[Path], object]
):
    storage.write(1, 1, fill_with("good"))
    with pytest.raises(ValueError, match=r"save_checkpoint: `fill` must .* but the folder is gone afterwards; copy it"):
        storage.write(2, 1, lambda folder: fill(folder) and None)
    storage.write(2, 1, fill_with("the next one"))
    assert storage.sizes().keys() == {1, 2}


def test_a_file_that_goes_while_it_is_listed_is_the_fills_own(storage: Storage, monkeypatch: pytest.MonkeyPatch):
    def gone(path: Path) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr("orchestrator.checkpoints.manifest.flush", gone)
    with pytest.raises(ValueError, match=r"but state\.json cannot be read afterwards: No such file or directory"):
        storage.write(1, 1, fill_with("good"))


def test_a_storage_that_goes_while_it_is_filled_is_away_and_no_fault_of_the_fill(storage: Storage, tmp_path: Path):
    with pytest.raises(StorageError, match=r"toy is away, which held a checkpoint .*; is its disk mounted\?"):
        storage.write(1, 1, lambda folder: shutil.rmtree(tmp_path / "toy"))


def test_what_a_dead_attempt_left_is_written_over_or_swept_away(storage: Storage, tmp_path: Path):
    directory = tmp_path / "toy" / "trials" / "0001" / "checkpoint"
    (directory / "epoch-0001").mkdir(parents=True)
    (directory / "epoch-0001" / "stale").touch()
    for left in (".epoch-0001.partial", ".epoch-0002.partial", ".epoch-0009.deleted"):
        (directory / left).mkdir()
        (directory / left / "half").touch()
    storage.write(1, 1, fill_with("new"))
    assert names(storage.read(1, 1)) == ["manifest.json", "state.json", "weights"]
    storage.sweep(1)
    assert names(directory) == ["epoch-0001"]


def test_the_folder_goes_with_its_last_checkpoint(storage: Storage, tmp_path: Path):
    for epoch in (1, 2):
        storage.write(1, epoch, fill_with(""))
    storage.delete(1, 1)
    storage.delete(1, 1)  # It is already gone.
    assert storage.sizes() == {1: {2: 100_000}}
    storage.delete(1, 2)
    assert not (tmp_path / "toy" / "trials" / "0001" / "checkpoint").exists()


def test_a_checkpoint_that_is_not_there_is_missing(storage: Storage):
    storage.write(1, 2, fill_with(""))
    with pytest.raises(CorruptCheckpoint, match="it is missing"):
        storage.read(1, 1)


# Killed at any instant


def test_kill_9_between_any_two_steps_leaves_what_the_ledger_names_whole(tmp_path: Path):
    """Kills the trainer at the n-th file that it opens, renames, makes or removes, for every second n."""
    died, step = True, 0
    while died:
        step += 2  # Each run finds other files, so that the steps left out are met as well.
        died = train_until_dead(tmp_path, kill_at_step=step) == -signal.SIGKILL
        assert_nothing_is_lost(tmp_path)
    assert step > 50


def test_kill_9_at_random_instants_leaves_what_the_ledger_names_whole(tmp_path: Path):
    for _ in range(20):
        assert train_until_dead(tmp_path, kill_after=random.uniform(0.0, 0.15)) == -signal.SIGKILL
        assert_nothing_is_lost(tmp_path)


def train_until_dead(directory: Path, *, kill_at_step: int | None = None, kill_after: float | None = None) -> int:
    """Returns the exit code of a process that goes on training in `directory`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ours, theirs = context.Pipe()
    process = context.Process(target=_train, args=(directory, kill_at_step, theirs))
    process.start()
    if kill_after is not None:
        assert ours.recv() == "begun"
        time.sleep(kill_after)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def _train(directory: Path, kill_at_step: int | None, begun: Connection) -> None:
    """Trains as an attempt and its driver do: saves, records, tidies. With `kill_at_step` two epochs, else for ever."""
    ledger = Ledger(directory / "ledger.db")
    if not ledger.studies():
        ledger.create_study("toy", {}, OBJECTIVE, {})
    [row] = ledger.studies()
    if not ledger.trials(row.id):
        ledger.add_trial(row.id, {})
    [trial] = ledger.trials(row.id)
    storage = Folder(directory / "toy")
    retention = Retention(storage, OBJECTIVE, None)
    begun.send("begun")
    if kill_at_step is not None:
        _kill_at(kill_at_step)
    if retention.begin({1: trial}):
        retention.tidy(trial, winner=False)
    storage.sweep(1)
    epoch = newest_whole(storage, 1, trial.checkpoint_epoch).epoch
    last = epoch + 2 if kill_at_step is not None else sys.maxsize
    while epoch < last:
        epoch += 1
        storage.write(1, epoch, fill_with(json.dumps(epoch)))
        value = random.Random(epoch).random()
        ledger.record(row.id, 1, Report(epoch, {"val/acc": value}, 1.0, 0.0, checkpoint=True))
        retention.saved(1, epoch)
        retention.tidy(ledger.trial(row.id, 1), winner=False)


def _kill_at(step: int) -> None:
    """Kills this process with SIGKILL just before it touches a file for the step-th time."""
    left = step

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def assert_nothing_is_lost(directory: Path) -> None:
    ledger = Ledger(directory / "ledger.db")
    [row] = ledger.studies()
    [trial] = ledger.trials(row.id)
    ledger.close()
    storage = Folder(directory / "toy")
    for path in (directory / "toy").glob("trials/0001/checkpoint/epoch-*"):  # Whatever has such a name is whole.
        storage.check(1, int(path.name.removeprefix("epoch-")))
    assert [report.epoch for report in trial.reports] == list(range(1, trial.epochs + 1))
    found = newest_whole(storage, 1, trial.checkpoint_epoch)
    assert (found.epoch, found.passed_over) == (trial.epochs, ())
    for epoch in {trial.checkpoint_epoch, best_saved_epoch(trial, OBJECTIVE)} - {None}:
        assert json.loads((storage.read(1, epoch) / "state.json").read_text()) == epoch
