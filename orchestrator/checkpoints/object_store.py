"""Stores checkpoints in an object store, through the filesystem layer of Ray: pyarrow.fs, and fsspec through it."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.checkpoints.manifest import MANIFEST, CorruptCheckpoint, Entry, parse_manifest, verify
from orchestrator.checkpoints.storage import Sizes, StorageError, failure_line, fill_folder, join_address
from orchestrator.home import epoch_directory, epoch_of, trial_directory
from orchestrator.secret import mask

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem  # It loads 30 MB that a study in folders does not need.


class ObjectStore:
    """Stores checkpoints at s3://, gs://, file:/// or whatever else pyarrow or fsspec knows.

    Objects cannot be renamed, so that a checkpoint is filled in a local folder and uploaded, its manifest last; without
    a manifest it counts as absent. Downloads lie in the trial's directory until they are released. Every method raises
    StorageError where the store does not answer.
    """

    def __init__(self, url: str, study_directory: Path) -> None:
        self.url = url
        self._study_directory = study_directory

    def write(self, number: int, epoch: int, fill: Callable[[Path], None]) -> None:
        local = self._scratch(number) / f"upload-{epoch:04d}"
        try:
            with _locally(local):
                shutil.rmtree(local, ignore_errors=True)
                local.mkdir(parents=True)
            fill_folder(fill, local, self._study_directory)
            files = sorted(path for path in local.rglob("*") if path.is_file() and path != local / MANIFEST)
            with self._explaining():
                self._remove(number, epoch)
                for file in [*files, local / MANIFEST]:
                    self._upload(file, f"{self._path(number, epoch)}/{file.relative_to(local).as_posix()}")
        finally:
            shutil.rmtree(local, ignore_errors=True)

    def read(self, number: int, epoch: int) -> Path:
        from pyarrow.fs import LocalFileSystem, copy_files

        local = self._downloads(number) / f"{epoch:04d}"
        entries = self._manifest(number, epoch)
        with self._explaining():
            shutil.rmtree(local, ignore_errors=True)
            for name in entries:
                (local / name).parent.mkdir(parents=True, exist_ok=True)
                try:
                    copy_files(
                        f"{self._path(number, epoch)}/{name}",
                        str(local / name),
                        source_filesystem=self._filesystem[0],
                        destination_filesystem=LocalFileSystem(),
                    )
                except FileNotFoundError:
                    raise CorruptCheckpoint(f"{name} is missing") from None
        verify(local, entries)
        return local

    def release(self, number: int) -> None:
        shutil.rmtree(self._downloads(number), ignore_errors=True)
        with suppress(OSError):  # Another process may still use the folder.
            self._scratch(number).rmdir()

    def check(self, number: int, epoch: int) -> None:
        """Compares the sizes of the objects only, because a store protects their content itself."""
        entries = self._manifest(number, epoch)
        path = self._path(number, epoch)
        there = {info.path: info.size for info in self._objects(path)}
        for name, entry in entries.items():
            size = there.get(f"{path}/{name}")
            if size != entry.size:
                raise CorruptCheckpoint(
                    f"{name} is missing" if size is None else f"{name} has {size} bytes instead of {entry.size}"
                )

    def sizes(self, number: int | None = None) -> Sizes:
        found: dict[tuple[int, int], int] = {}
        whole = set()
        for trial, epoch, name, size in self._listing(number):
            if name == MANIFEST:
                whole.add((trial, epoch))
            else:
                found[trial, epoch] = found.get((trial, epoch), 0) + size
        sizes: Sizes = {}
        for trial, epoch in sorted(whole):
            sizes.setdefault(trial, {})[epoch] = found.get((trial, epoch), 0)
        return sizes

    def delete(self, number: int, epoch: int) -> None:
        with self._explaining():
            self._remove(number, epoch)

    def sweep(self, number: int) -> None:
        shutil.rmtree(self._scratch(number), ignore_errors=True)
        listing = [(epoch, name) for _, epoch, name, _ in self._listing(number)]
        for epoch in {epoch for epoch, _ in listing} - {epoch for epoch, name in listing if name == MANIFEST}:
            self.delete(number, epoch)

    def address(self, number: int, epoch: int) -> str:
        return join_address(self.url, _name(number, epoch))

    @cached_property
    def _filesystem(self) -> tuple[FileSystem, str]:
        """Returns the filesystem of the store, and the path of the study's objects in it."""
        return _filesystem(self.url)

    def _path(self, number: int, epoch: int) -> str:
        return f"{self._filesystem[1]}/{_name(number, epoch)}"

    def _upload(self, file: Path, target: str) -> None:
        from pyarrow.fs import LocalFileSystem, copy_files

        filesystem = self._filesystem[0]
        filesystem.create_dir(target.rpartition("/")[0], recursive=True)
        copy_files(
            str(file), target, source_filesystem=LocalFileSystem(), destination_filesystem=filesystem, use_threads=True
        )

    def _remove(self, number: int, epoch: int) -> None:
        filesystem, path = self._filesystem[0], self._path(number, epoch)
        for remove, target in ((filesystem.delete_file, f"{path}/{MANIFEST}"), (filesystem.delete_dir, path)):
            try:
                remove(target)  # The manifest goes first, so that a crash after it leaves no half checkpoint.
            except FileNotFoundError:
                continue

    def _manifest(self, number: int, epoch: int) -> dict[str, Entry]:
        with self._explaining():
            try:
                with self._filesystem[0].open_input_stream(f"{self._path(number, epoch)}/{MANIFEST}") as stream:
                    return parse_manifest(stream.read())
            except FileNotFoundError:
                raise CorruptCheckpoint(f"{MANIFEST} is missing") from None

    def _listing(self, number: int | None) -> Iterator[tuple[int, int, str, int]]:
        """Yields (trial, epoch, name, bytes) of every object that belongs to a checkpoint."""
        base = f"{self._filesystem_path()}/trials"
        for info in self._objects(base if number is None else str(trial_directory(Path(base).parent, number))):
            parts = info.path.removeprefix(f"{base}/").split("/")
            epoch = epoch_of(parts[2]) if len(parts) > 3 and parts[0].isdecimal() else None
            if epoch is not None:
                yield int(parts[0]), epoch, "/".join(parts[3:]), info.size

    def _filesystem_path(self) -> str:
        with self._explaining():
            return self._filesystem[1]

    def _objects(self, path: str) -> list[FileInfo]:
        from pyarrow.fs import FileSelector

        with self._explaining():
            selector = FileSelector(path, allow_not_found=True, recursive=True)
            return [info for info in self._filesystem[0].get_file_info(selector) if info.is_file]

    def _downloads(self, number: int) -> Path:
        return self._scratch(number) / f"downloads-{os.getpid()}"

    def _scratch(self, number: int) -> Path:
        return trial_directory(self._study_directory, number) / ".scratch"

    def _explaining(self) -> AbstractContextManager[None]:
        return _explaining(self.url)


def try_writing_objects(url: str) -> None:
    """Writes a small object at the URL and deletes it. Raises StorageError."""
    with _explaining(url):
        filesystem, path = _filesystem(url)
        filesystem.create_dir(path, recursive=True)
        name = f"{path}/.nightsweep-{uuid.uuid4().hex}"
        with filesystem.open_output_stream(name) as stream:
            stream.write(b"nightsweep")
        filesystem.delete_file(name)


def _filesystem(url: str) -> tuple[FileSystem, str]:
    """Returns (filesystem, path in it) as Ray does: pyarrow's filesystem, else fsspec's."""
    import pyarrow
    from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

    try:
        return FileSystem.from_uri(url)
    except pyarrow.ArrowInvalid:  # pyarrow does not know the scheme.
        import fsspec

        system, path = fsspec.core.url_to_fs(url)
        return PyFileSystem(FSSpecHandler(system)), path


@contextmanager
def _explaining(url: str) -> Iterator[None]:
    """Turns what the libraries raise into a StorageError, whose message holds no password."""
    try:
        yield
    except (CorruptCheckpoint, StorageError):
        raise
    except Exception as error:  # The libraries may raise anything.
        what = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StorageError(f"{url} cannot be used for checkpoints: {mask(what)}") from error


def _name(number: int, epoch: int) -> str:
    """Returns the path of a checkpoint below the study's address."""
    return epoch_directory(trial_directory(Path(), number), epoch).as_posix()


@contextmanager
def _locally(folder: Path) -> Iterator[None]:
    """Turns an OSError in the local folder into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        raise StorageError(failure_line(error, folder.parent)) from error
