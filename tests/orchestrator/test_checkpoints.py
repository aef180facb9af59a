"""A checkpoint is whole or absent, and the disk holds only those worth it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.checkpoints import (
    best_checkpoint,
    epoch_directory,
    epochs_to_keep,
    prune_checkpoints,
    trial_directory,
    write_checkpoint,
)
from orchestrator.trial import Objective, Report, State, Trial

OBJECTIVE = Objective("val/acc", "max")


def trial_of(values: list[float], state: State = State.RUNNING, saved: set[int] | None = None) -> Trial:
    reports = tuple(
        Report(epoch, {"val/acc": value}, 1.0, 0.0, saved is None or epoch in saved)
        for epoch, value in enumerate(values, start=1)
    )
    return Trial(1, {}, state, reports=reports)


def fill(directory: Path) -> None:
    (directory / "weights").mkdir()
    (directory / "weights" / "model.pt").write_bytes(b"whole")


def test_a_checkpoint_appears_under_its_name_only_when_it_is_whole(tmp_path: Path):
    def fill_half(directory: Path) -> None:
        fill(directory)
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_checkpoint(tmp_path / "epoch-0001", fill_half)
    assert not (tmp_path / "epoch-0001").exists()
    write_checkpoint(tmp_path / "epoch-0001", fill)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-0001"]
    assert (tmp_path / "epoch-0001" / "weights" / "model.pt").read_bytes() == b"whole"


def test_what_a_dead_attempt_left_is_written_over(tmp_path: Path):
    (tmp_path / "epoch-0001").mkdir()
    (tmp_path / "epoch-0001" / "stale").touch()
    write_checkpoint(tmp_path / "epoch-0001", fill)
    assert not (tmp_path / "epoch-0001" / "stale").exists()


@pytest.mark.parametrize(
    ("state", "winner", "kept"),
    [
        (State.RUNNING, False, {2, 4, 5}),  # the best and the newest two
        (State.PAUSED, False, {2, 4, 5}),
        (State.COMPLETED, False, {2}),
        (State.PRUNED, False, set()),
        (State.PRUNED, True, {2}),
        (State.FAILED, False, set()),
    ],
)
def test_what_is_kept_depends_on_whether_the_trial_may_go_on_or_win(state: State, winner: bool, kept: set[int]):
    trial = trial_of([0.1, 0.9, 0.3, 0.4, 0.5], state)
    assert epochs_to_keep(trial, OBJECTIVE, winner=winner) == kept


def test_the_best_among_the_saved_epochs_is_kept_when_the_best_epoch_was_not_saved():
    trial = trial_of([0.1, 0.9, 0.3, 0.4, 0.5], State.COMPLETED, saved={1, 4})
    assert epochs_to_keep(trial, OBJECTIVE, winner=True) == {4}


def test_pruning_leaves_the_checkpoint_alone_that_a_worker_is_writing(tmp_path: Path):
    directory = trial_directory(tmp_path, 1)
    for epoch in (1, 2, 3):
        write_checkpoint(epoch_directory(directory, epoch), fill)
    prune_checkpoints(directory, {1}, beyond=2)
    assert sorted(path.name for path in (directory / "checkpoint").iterdir()) == ["epoch-0001", "epoch-0003"]


def test_the_best_checkpoint_is_none_once_it_was_let_go(tmp_path: Path):
    trial = trial_of([0.1, 0.9])
    assert best_checkpoint(tmp_path, trial, OBJECTIVE) is None
    directory = epoch_directory(trial_directory(tmp_path, 1), 2)
    write_checkpoint(directory, fill)
    assert best_checkpoint(tmp_path, trial, OBJECTIVE) == directory
