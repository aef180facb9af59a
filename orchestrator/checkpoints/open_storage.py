"""Opens the storage that a study file names, and tries whether it takes files."""

from __future__ import annotations

import tempfile
from pathlib import Path

from orchestrator.checkpoints.folder import Folder
from orchestrator.checkpoints.storage import Storage, StorageError, complaint
from orchestrator.errors import InputMistake


def storage_at(place: str | None, study_directory: Path) -> Storage:
    """place: a folder or a URL; None: the study's directory, where downloads from a URL go too."""
    if place is not None and "://" in place:
        from orchestrator.checkpoints.object_store import ObjectStore

        return ObjectStore(place, study_directory)
    return Folder(study_directory if place is None else Path(place))


def try_out(place: str, file: str) -> None:
    """Write a little to a folder or URL and remove it. Raises InputMistake, in the name of the study file `file`."""
    try:
        if "://" in place:
            from orchestrator.checkpoints.object_store import try_out_store

            try_out_store(place)
        else:
            Path(place).mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=place).close()
    except StorageError as error:
        raise InputMistake(f"{file}: storage: must take files, but {error}") from error
    except OSError as error:
        raise InputMistake(f"{file}: storage: must take files, but {complaint(error, Path(place))}") from error
