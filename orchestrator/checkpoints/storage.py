"""Defines what a storage of checkpoints does, where a study's lies, and which checkpoint an attempt resumes from."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from orchestrator import disk
from orchestrator.checkpoints.manifest import CorruptCheckpoint, write_manifest
from orchestrator.errors import NightsweepError

Sizes = dict[int, dict[int, int]]  # Bytes by trial number and epoch.


class StorageError(NightsweepError):
    """Says in one line why checkpoints cannot be written or read now. The trial is not at fault."""


class Storage(Protocol):
    """Stores the checkpoints of one study."""

    def write(self, number: int, epoch: int, fill: Callable[[Path], None]) -> None:
        """Lets `fill` write into an empty folder, and keeps all that it wrote, or nothing. Raises StorageError."""

    def read(self, number: int, epoch: int) -> Path:
        """Returns a local folder with the verified checkpoint. Raises CorruptCheckpoint, StorageError."""

    def release(self, number: int) -> None:
        """Deletes the local copies that `read` made for this process."""

    def check(self, number: int, epoch: int) -> None:
        """Verifies that the checkpoint is whole, without fetching it. Raises CorruptCheckpoint, StorageError."""

    def sizes(self, number: int | None = None) -> Sizes:
        """Returns the sizes of the whole checkpoints of one trial, or of all. Raises StorageError."""

    def delete(self, number: int, epoch: int) -> None:
        """Deletes the checkpoint, if it is there. Raises StorageError."""

    def sweep(self, number: int) -> None:
        """Deletes what dead attempts left half-written. Raises StorageError."""

    def address(self, number: int, epoch: int) -> str:
        """Returns the checkpoint's folder or URL."""


def storage_address(raw: Mapping[str, Any], uid: str) -> str | None:
    """Returns the folder or URL of a study's checkpoints; None where they lie in the study's directory.

    raw: the study's file. uid: the study's id, which the address contains, because a renamed study cannot rename its
    objects.
    """
    base = raw.get("storage")
    return None if base is None else join_address(base, f"{raw['study']}-{uid[:8]}")


def join_address(address: str, path: str) -> str:
    """Returns the folder or URL of `path` below a folder or URL, whose query (?region=...) stays at the end."""
    if "://" not in address:
        return f"{address.rstrip('/')}/{path}"
    parts = urlsplit(address)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


@dataclass(frozen=True)
class ResumePoint:
    """Names the checkpoint to resume from. epoch: 0 for none. passed_over: why not a later one, line by line."""

    epoch: int
    directory: Path | None
    passed_over: tuple[str, ...] = ()


def newest_whole(storage: Storage, number: int, epoch: int | None) -> ResumePoint:
    """Returns the checkpoint of `epoch`, which the ledger names, or the newest whole one before it.

    Raises StorageError.
    """
    if epoch is None:
        return ResumePoint(0, None)
    passed_over: list[str] = []
    earlier = sorted((e for e in storage.sizes(number).get(number, {}) if e < epoch), reverse=True)
    for candidate in [epoch, *earlier]:
        try:
            return ResumePoint(candidate, storage.read(number, candidate), tuple(passed_over))
        except CorruptCheckpoint as corrupt:
            passed_over.append(f"the checkpoint of epoch {candidate} is corrupt: {corrupt}")
    return ResumePoint(0, None, tuple(passed_over))


def fill_folder(fill: Callable[[Path], None], directory: Path, root: Path) -> None:
    """Calls `fill`, and lists what it wrote in the manifest. root: of the study, above the folder.

    Raises StorageError where the disk is full or away, ValueError where `fill` did something else than to write into
    the folder, and passes on anything that it raises itself.
    """
    try:
        fill(directory)
    except Exception as error:
        if disk.is_full(error, directory.parent):
            raise StorageError(failure_line(error, directory.parent)) from error
        raise
    if directory.is_symlink() or not directory.is_dir():
        if not disk.takes_files(root):
            raise StorageError(f"{root} is away, which held a checkpoint that was being written; is its disk mounted?")
        raise ValueError(f"{_FILL}, but the folder is gone afterwards; copy it where else it is needed, do not move it")
    try:
        write_manifest(directory)
    except OSError as error:
        if error.errno not in _OF_FILES or not disk.takes_files(root):
            raise StorageError(failure_line(error, directory.parent)) from error
        name = Path(str(error.filename or directory)).name
        raise ValueError(f"{_FILL}, but {name} cannot be read afterwards: {error.strerror}") from error


_FILL = "save_checkpoint: `fill` must write files into the folder that it is given and leave them there"
_OF_FILES = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.EISDIR)


def failure_line(error: BaseException, folder: Path) -> str:
    """Returns one line about a checkpoint that could not be written to, or read from, a folder."""
    if disk.is_full(error, folder):
        return f"the disk of {folder} is full: {disk.in_gb(disk.free_bytes(folder))} are free"
    what = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    return f"{folder} cannot be used for checkpoints: {what}; see ls -ld {folder}"
