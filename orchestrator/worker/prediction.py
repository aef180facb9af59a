"""Runs the winner of a study on new inputs, in this process: no Ray is started for a handful of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from orchestrator.checkpoints.inventory import Inventory
from orchestrator.checkpoints.storage import StorageError, storage_address
from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.job import Workplace
from orchestrator.ledger import StudyRow
from orchestrator.study_file.study_spec import parse_study
from orchestrator.trial import Trial, best_trial
from orchestrator.typed_command import command
from orchestrator.worker.run import WorkerRun
from trainables import UnknownTrainable, load_trainable
from trainables.data.image_file import EXTENSIONS, MAC_NOTES, UNKNOWN_FORMATS
from trainables.data.picture_folder import on_disk


def predict(
    row: StudyRow, trials: list[Trial], home: Home, files: Sequence[Path], output: TextIO, device: str = "cpu"
) -> list[str]:
    """Writes what the study's best trial reads in `files` to `output`; a line for each file that cannot be read.

    device: "cpu" or "cuda".

    Raises InputMistake where the trainable cannot predict or the winner saved no checkpoint, CorruptCheckpoint and
    StorageError where it cannot be read.
    """
    try:
        trainable = load_trainable(row.raw["trainable"])
    except UnknownTrainable as unknown:
        raise InputMistake(f"{row.name}: trainable: {unknown}") from unknown
    if trainable.predict is None:
        raise InputMistake(f"{row.name}: trainable `{trainable.name}` must have a hook `predict`, but has none")
    best = best_trial(trials, row.objective)
    kept = Inventory.of(row.raw, row.uid, row.name, home)
    if kept.error is not None:
        raise StorageError(kept.error)
    epoch = None if best is None else kept.best_epoch(best, row.objective)
    if best is None or epoch is None:
        see = command(home, "show", row.name)
        raise InputMistake(
            f"{row.name}: must have a trial with a checkpoint to predict with, but has none; see `{see}`"
        )
    spec = parse_study(row.raw, row.name)
    directory = home.study(row.name)
    place = storage_address(row.raw, row.uid)
    workplace = Workplace(row.raw["trainable"], spec.data, str(directory), device, str(Path.cwd()), place)
    config, pictures = trainable.build_config(spec.space.restore(best.config)), pictures_in(files)
    with WorkerRun(workplace, best.number, best.seed).at(epoch) as run:
        return trainable.predict(config, run, pictures, output)


def pictures_in(files: Sequence[Path]) -> list[Path]:
    """Returns the files as given; a folder stands for the pictures directly in it, by name.

    Pictures are what training reads, by how their names end, and what it cannot read but people take for pictures: who
    predicts names those. Raises InputMistake.
    """
    found: list[Path] = []
    mistakes = []
    for file in map(on_disk, files):
        if not file.exists():
            mistakes.append(f"FILES: must be pictures or folders of pictures, but {file} does not exist")
            continue
        inside = sorted(filter(_is_picture, file.iterdir())) if file.is_dir() else [file]
        if not inside:
            mistakes.append(f"FILES: {file} must hold pictures ({' '.join(EXTENSIONS)}), but holds none")
        found += inside
    if mistakes:
        raise InputMistake(*mistakes)
    return found


def _is_picture(file: Path) -> bool:
    """Returns whether the name of a file in a folder is that of a picture."""
    return file.suffix.lower() in (*EXTENSIONS, *UNKNOWN_FORMATS) and not file.name.startswith(MAC_NOTES)
