"""Writes and verifies manifest.json, the list of a checkpoint's files: a folder without it is no checkpoint."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from orchestrator.errors import NightsweepError

MANIFEST = "manifest.json"


class CorruptCheckpoint(NightsweepError):
    """Says which file of a checkpoint is not as it was written, and how it differs."""


@dataclass(frozen=True)
class Entry:
    """Describes one file. size: in bytes. sha256: of its content, in hexadecimal digits."""

    size: int
    sha256: str


def write_manifest(directory: Path) -> None:
    """Writes the manifest of all files below `directory`, and flushes everything to the disk. Raises OSError."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    if directory / MANIFEST in files:
        raise ValueError(f"a checkpoint must not hold a file named {MANIFEST}: the list of its files has that name")
    with ThreadPoolExecutor(2) as pool:
        digests = pool.map(_sha256, files)  # They are computed while the disk writes.
        for path in files:
            flush(path)
        entries = {
            path.relative_to(directory).as_posix(): Entry(path.stat().st_size, digest)
            for path, digest in zip(files, digests, strict=True)
        }
    content = {"files": {name: asdict(entry) for name, entry in entries.items()}}
    (directory / MANIFEST).write_text(json.dumps(content, indent=1), encoding="utf-8")
    flush(directory / MANIFEST)
    for path in directory.rglob("*"):
        if path.is_dir():
            flush(path)
    flush(directory)


def parse_manifest(text: str | bytes) -> dict[str, Entry]:
    """Returns the entries by relative path. Raises CorruptCheckpoint for other text or a path that leads outside."""
    try:
        entries = {str(name): Entry(int(e["size"]), str(e["sha256"])) for name, e in json.loads(text)["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptCheckpoint(f"{MANIFEST} cannot be read") from error
    for name in entries:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise CorruptCheckpoint(f"{MANIFEST} names {name!r}, which is not in the checkpoint")
    return entries


def read_manifest(directory: Path) -> dict[str, Entry]:
    """Returns the entries by relative path. Raises CorruptCheckpoint where there is no manifest that can be read."""
    try:
        return parse_manifest((directory / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CorruptCheckpoint(f"{MANIFEST} is missing" if directory.is_dir() else "it is missing") from error


def verify(directory: Path, entries: Mapping[str, Entry]) -> None:
    """Compares every file with its entry. Raises CorruptCheckpoint where one differs."""
    for name, entry in entries.items():
        try:
            size = (directory / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            raise CorruptCheckpoint(f"{name} is missing") from None
        if size != entry.size:
            raise CorruptCheckpoint(f"{name} has {size} bytes instead of {entry.size}")
    with ThreadPoolExecutor(2) as pool:
        digests = pool.map(_sha256, [directory / name for name in entries])
        for (name, entry), digest in zip(entries.items(), digests, strict=True):
            if digest != entry.sha256:
                raise CorruptCheckpoint(f"{name} is not as it was written: its SHA-256 differs")


def total_bytes(entries: Mapping[str, Entry]) -> int:
    """Returns the bytes of all files, the manifest aside."""
    return sum(entry.size for entry in entries.values())


def flush(path: Path) -> None:
    """Flushes a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
