"""Where checkpoints lie: a folder, or an object store. One is written whole or not at all, and verified when read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from orchestrator import disk
from orchestrator.checkpoints.manifest import CorruptCheckpoint
from orchestrator.errors import NightsweepError

Sizes = dict[int, dict[int, int]]  # trial number -> epoch -> bytes


class StorageError(NightsweepError):
    """Checkpoints cannot be written or read just now; one line: where, what came, what to do. Not the trial's fault."""


class Storage(Protocol):
    """A place for the checkpoints of one study."""

    def write(self, number: int, epoch: int, fill: Callable[[Path], None]) -> None:
        """Let `fill` write into an empty folder and keep what it wrote, whole or not at all. Raises StorageError."""

    def read(self, number: int, epoch: int) -> Path:
        """A local folder with the checkpoint, verified. Raises CorruptCheckpoint, StorageError."""

    def release(self, number: int) -> None:
        """What this process was given to read is not needed any more."""

    def check(self, number: int, epoch: int) -> None:
        """See that the checkpoint is whole, without fetching it. Raises CorruptCheckpoint, StorageError."""

    def sizes(self, number: int | None = None) -> Sizes:
        """The whole checkpoints of one trial, or of all. Raises StorageError."""

    def delete(self, number: int, epoch: int) -> None:
        """Raises StorageError. What is not there is deleted already."""

    def sweep(self, number: int) -> None:
        """Remove what dead attempts left half-written. Raises StorageError."""

    def shown(self, number: int, epoch: int) -> str:
        """The checkpoint's folder or URL."""


def storage_address(raw: Mapping[str, Any], uid: str) -> str | None:
    """The folder or URL of a study's checkpoints; None: its own directory. raw: its file. uid: its id in the ledger.

    The id is part of it, because a study that is renamed cannot take its objects with it.
    """
    base = raw.get("storage")
    return None if base is None else below(base, f"{raw['study']}-{uid[:8]}")


def below(place: str, path: str) -> str:
    """The folder or URL of `path` in a folder or URL, whose query (?region=...) stays at its end."""
    if "://" not in place:
        return f"{place.rstrip('/')}/{path}"
    parts = urlsplit(place)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


@dataclass(frozen=True)
class Found:
    """The checkpoint to go on from. epoch: 0 without one. passed_over: why no later one, one line each."""

    epoch: int
    directory: Path | None
    passed_over: tuple[str, ...] = ()


def newest_whole(storage: Storage, number: int, epoch: int | None) -> Found:
    """The checkpoint of `epoch`, which the ledger names, or the newest whole one before it. Raises StorageError."""
    if epoch is None:
        return Found(0, None)
    passed_over: list[str] = []
    earlier = sorted((e for e in storage.sizes(number).get(number, {}) if e < epoch), reverse=True)
    for candidate in [epoch, *earlier]:
        try:
            return Found(candidate, storage.read(number, candidate), tuple(passed_over))
        except CorruptCheckpoint as corrupt:
            passed_over.append(f"the checkpoint of epoch {candidate} is corrupt: {corrupt}")
    return Found(0, None, tuple(passed_over))


def fill_folder(fill: Callable[[Path], None], directory: Path) -> None:
    """Call `fill`; a full disk under it is a StorageError, anything else that it raises is its own."""
    try:
        fill(directory)
    except Exception as error:
        if disk.is_full(error, directory):
            raise StorageError(complaint(error, directory.parent)) from error
        raise


def complaint(error: BaseException, folder: Path) -> str:
    """One line about a checkpoint that could not be written to, or read from, a folder."""
    if disk.is_full(error, folder):
        return f"the disk of {folder} is full: {disk.in_gb(disk.free_bytes(folder))} are free"
    what = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    return f"{folder} cannot be used for checkpoints: {what}; see ls -ld {folder}"
