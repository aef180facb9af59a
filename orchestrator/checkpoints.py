"""Where checkpoints lie, how one is written whole or not at all, and which are kept.

trials/0007/checkpoint/epoch-0012/ is the state after epoch 12. The ledger says which of them count: a directory
without its report is the leftover of a crash and is written again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from orchestrator.trial import Objective, State, Trial


def trial_directory(study_directory: Path, number: int) -> Path:
    return study_directory / "trials" / f"{number:04d}"


def epoch_directory(trial_dir: Path, epoch: int) -> Path:
    return trial_dir / "checkpoint" / f"epoch-{epoch:04d}"


def write_checkpoint(directory: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a temporary neighbour, flush it to disk, then rename it to `directory`.

    A crash at any instant leaves the whole checkpoint or none under the final name.
    """
    temporary = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    fill(temporary)
    for path in temporary.rglob("*"):
        if path.is_file():
            _flush(path)
    _flush(temporary)
    if directory.exists():  # left by an attempt that died before its report
        shutil.rmtree(directory)
    temporary.rename(directory)
    _flush(directory.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def epochs_to_keep(trial: Trial, objective: Objective, *, winner: bool) -> set[int]:
    """The epochs of `trial` whose checkpoints are worth their disk.

    Unfinished: the best and the newest two (the newest may be ahead of its report after a crash). Completed: the best.
    Pruned and failed: none, unless the trial is the study's best.
    """
    saved = [report for report in trial.reports if report.checkpoint]
    if not saved:
        return set()
    if trial.state in (State.PRUNED, State.FAILED) and not winner:
        return set()
    kept = {best_saved_epoch(trial, objective)}
    if not trial.state.final:
        kept.update(report.epoch for report in saved[-2:])
    return {epoch for epoch in kept if epoch is not None}


def best_saved_epoch(trial: Trial, objective: Objective) -> int | None:
    """The epoch with the best objective among those that saved a checkpoint; None when none did."""
    saved = tuple(report for report in trial.reports if report.checkpoint)
    best = replace(trial, reports=saved).best_report(objective)
    return best.epoch if best else None


def best_checkpoint(study_directory: Path, trial: Trial, objective: Objective) -> Path | None:
    """The directory to predict with; None when the trial saved nothing or it was let go."""
    epoch = best_saved_epoch(trial, objective)
    if epoch is None:
        return None
    directory = epoch_directory(trial_directory(study_directory, trial.number), epoch)
    return directory if directory.is_dir() else None


def prune_checkpoints(trial_dir: Path, kept: Iterable[int], *, beyond: int) -> None:
    """Delete the checkpoints of epochs up to `beyond` (the newest report) that are not `kept`.

    Later ones are being written right now by the trial's worker and are left alone.
    """
    wanted = {epoch_directory(trial_dir, epoch).name for epoch in kept}
    directory = trial_dir / "checkpoint"
    if not directory.is_dir():
        return
    for path in directory.iterdir():
        epoch = path.name.removeprefix("epoch-")
        if path.name not in wanted and epoch.isdigit() and int(epoch) <= beyond:
            shutil.rmtree(path, ignore_errors=True)
    if not any(directory.iterdir()):
        directory.rmdir()
