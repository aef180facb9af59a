"""Defines what a storage of checkpoints does, where a study's lies, and which checkpoint an attempt resumes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from orchestrator import disk
from orchestrator.checkpoints.manifest import CorruptCheckpoint
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


def fill_folder(fill: Callable[[Path], None], directory: Path) -> None:
    """Calls `fill`; raises StorageError where the disk was full, and passes on anything else that it raises."""
    try:
        fill(directory)
    except Exception as error:
        if disk.is_full(error, directory):
            raise StorageError(failure_line(error, directory.parent)) from error
        raise


def failure_line(error: BaseException, folder: Path) -> str:
    """Returns one line about a checkpoint that could not be written to, or read from, a folder."""
    if disk.is_full(error, folder):
        return f"the disk of {folder} is full: {disk.in_gb(disk.free_bytes(folder))} are free"
    what = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    return f"{folder} cannot be used for checkpoints: {what}; see ls -ld {folder}"
