"""Opens the storage at an address, and tries whether it takes files."""

from __future__ import annotations

import tempfile
from pathlib import Path

from orchestrator.checkpoints.folder import Folder
from orchestrator.checkpoints.storage import Storage, StorageError, failure_line
from orchestrator.errors import InputMistake


def open_storage(address: str | None, study_directory: Path) -> Storage:
    """Returns the storage at a folder or URL; None: in the study's directory, where downloads from a URL go, too."""
    if address is not None and "://" in address:
        from orchestrator.checkpoints.object_store import ObjectStore

        return ObjectStore(address, study_directory)
    return Folder(study_directory if address is None else Path(address))


def try_writing(address: str, file: str) -> None:
    """Writes a small file to a folder or URL and deletes it. Raises InputMistake, which names the study file `file`."""
    try:
        if "://" in address:
            from orchestrator.checkpoints.object_store import try_writing_objects

            try_writing_objects(address)
        else:
            Path(address).mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=address).close()
    except StorageError as error:
        raise InputMistake(f"{file}: storage: must take files, but {error}") from error
    except OSError as error:
        raise InputMistake(f"{file}: storage: must take files, but {failure_line(error, Path(address))}") from error
