"""Stores checkpoints as ordinary files, in the study's directory or in a folder that all machines see."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.checkpoints.manifest import (
    CorruptCheckpoint,
    flush,
    read_manifest,
    total_bytes,
    verify,
)
from orchestrator.checkpoints.storage import Sizes, StorageError, failure_line, fill_folder
from orchestrator.home import epoch_directory, epoch_of, trial_directory


class Folder:
    """Stores the checkpoints of one study below `root`.

    trials/0007/checkpoint/epoch-0012/ is whole or absent, whatever process dies at any instant, because a checkpoint is
    written, and deleted, under a name that begins with a dot.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, number: int, epoch: int, fill: Callable[[Path], None]) -> None:
        directory = self._directory(number, epoch)
        temporary, replaced = _hidden(directory, "partial"), _hidden(directory, "deleted")
        try:
            with self._explaining():
                _remove(temporary)
                temporary.mkdir(parents=True)
            fill_folder(fill, temporary, self.root)
            with self._explaining():
                if directory.exists():  # An attempt left it and died before its report.
                    _remove(replaced)
                    directory.rename(replaced)
                temporary.rename(directory)
                flush(directory.parent)
        except BaseException:
            _remove(temporary)  # Half a checkpoint must not keep the disk full.
            raise
        _remove(replaced)

    def read(self, number: int, epoch: int) -> Path:
        if not self.root.is_dir():  # Then all checkpoints are out of reach, not this one lost.
            raise StorageError(f"{self.root} is not there, but held checkpoints; is its disk mounted?")
        self.check(number, epoch)
        return self._directory(number, epoch)

    def release(self, number: int) -> None:
        return None

    def check(self, number: int, epoch: int) -> None:
        directory = self._directory(number, epoch)
        with self._explaining():
            verify(directory, read_manifest(directory))

    def sizes(self, number: int | None = None) -> Sizes:
        trial = "*" if number is None else trial_directory(self.root, number).name
        found: Sizes = {}
        for directory in sorted(self.root.glob(f"trials/{trial}/checkpoint/epoch-*")):
            name, epoch = directory.parent.parent.name, epoch_of(directory.name)
            if epoch is not None and name.isdigit():
                try:
                    found.setdefault(int(name), {})[epoch] = total_bytes(read_manifest(directory))
                except (CorruptCheckpoint, OSError):
                    continue
        return found

    def delete(self, number: int, epoch: int) -> None:
        directory = self._directory(number, epoch)
        deleted = _hidden(directory, "deleted")
        _remove(deleted)
        with self._explaining():
            try:
                directory.rename(deleted)
            except FileNotFoundError:
                return
        _remove(deleted)
        with suppress(OSError):  # The folder is not empty unless this was the last.
            directory.parent.rmdir()

    def sweep(self, number: int) -> None:
        for left in (trial_directory(self.root, number) / "checkpoint").glob(".epoch-*"):
            _remove(left)

    def address(self, number: int, epoch: int) -> str:
        return str(self._directory(number, epoch))

    def _directory(self, number: int, epoch: int) -> Path:
        return epoch_directory(trial_directory(self.root, number), epoch)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turns an OSError into a StorageError that says what to do."""
        try:
            yield
        except OSError as error:
            raise StorageError(failure_line(error, self.root)) from error


def _hidden(directory: Path, suffix: str) -> Path:
    """Returns the path of a sibling that is not a checkpoint by its name."""
    return directory.with_name(f".{directory.name}.{suffix}")


def _remove(path: Path) -> None:
    """Removes a folder, or what a `fill` put in its place: a file, or a link, whose target is left alone."""
    if path.is_symlink() or path.is_file():
        with suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
