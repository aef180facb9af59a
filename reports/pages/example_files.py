"""Finds the files that a trainable left in `examples/` of a trial's folder, to be shown in a report."""

from __future__ import annotations

from pathlib import Path

FOLDER = "examples"


def example_files(trial_directory: Path, ending: str) -> list[Path]:
    """Returns the files with that ending, such as ".png", by name."""
    folder = trial_directory / FOLDER
    return sorted(path for path in folder.glob(f"*{ending}") if path.is_file()) if folder.is_dir() else []


def caption_of(file: Path) -> str:
    """Returns the file's name as words."""
    return file.stem.replace("_", " ").replace("-", " ")
