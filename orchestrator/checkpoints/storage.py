"""Where checkpoints lie: a folder, or an object store. One is written whole or not at all, and verified when read."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from orchestrator import disk
from orchestrator.checkpoints.manifest import CorruptCheckpoint, flush, read_manifest, seal, total_bytes, verify
from orchestrator.errors import InputMistake, NightsweepError
from orchestrator.home import epoch_directory, epoch_of, trial_directory

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


def place_of(raw: Mapping[str, Any], uid: str) -> str | None:
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


class Folder:
    """Ordinary files: the study's directory, or a folder that all machines see.

    trials/0007/checkpoint/epoch-0012/ is whole or absent, whatever dies when: it is written, and deleted, under a name
    that begins with a dot.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, number: int, epoch: int, fill: Callable[[Path], None]) -> None:
        directory = self._directory(number, epoch)
        temporary, replaced = _hidden(directory, "partial"), _hidden(directory, "deleted")
        try:
            with self._explaining():
                shutil.rmtree(temporary, ignore_errors=True)
                temporary.mkdir(parents=True)
            fill_folder(fill, temporary)
            with self._explaining():
                seal(temporary)
                if directory.exists():  # left by an attempt that died before its report
                    shutil.rmtree(replaced, ignore_errors=True)
                    directory.rename(replaced)
                temporary.rename(directory)
                flush(directory.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)  # a half checkpoint must not be what keeps the disk full
            raise
        shutil.rmtree(replaced, ignore_errors=True)

    def read(self, number: int, epoch: int) -> Path:
        if not self.root.is_dir():  # then it is not this checkpoint that is lost
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
        shutil.rmtree(deleted, ignore_errors=True)
        with self._explaining():
            try:
                directory.rename(deleted)
            except FileNotFoundError:
                return
        shutil.rmtree(deleted, ignore_errors=True)
        with suppress(OSError):  # only where it was the last
            directory.parent.rmdir()

    def sweep(self, number: int) -> None:
        for left in (trial_directory(self.root, number) / "checkpoint").glob(".epoch-*"):
            shutil.rmtree(left, ignore_errors=True)

    def shown(self, number: int, epoch: int) -> str:
        return str(self._directory(number, epoch))

    def _directory(self, number: int, epoch: int) -> Path:
        return epoch_directory(trial_directory(self.root, number), epoch)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(complaint(error, self.root)) from error


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


def _hidden(directory: Path, suffix: str) -> Path:
    return directory.with_name(f".{directory.name}.{suffix}")
