"""Tells how much room a disk has, and a full disk from other errors."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

GB = 10**9
FULL = (errno.ENOSPC, errno.EDQUOT)
_NOTHING_LEFT = 2**20  # bytes: less than one write of a library that does not say why it failed


def is_full(error: BaseException, place: Path | None = None) -> bool:
    """Returns whether a full disk, or a used-up quota, caused the error.

    place: where was written. Libraries that write by themselves (PyTorch, NumPy, SQLite) hide the system's error: then
    the disk of `place` is looked at.
    """
    if full_disk(error) is not None:
        return True
    return place is not None and getattr(error, "errno", None) is None and free_bytes(place) < _NOTHING_LEFT


def full_disk(error: BaseException) -> OSError | None:
    """Returns the system's word for a full disk among all that the error came from."""
    found = (each for each in _causes(error) if isinstance(each, OSError) and each.errno in FULL)
    return next(found, None)


def free_bytes(folder: Path) -> int:
    """Returns the bytes that may still be written on the disk of `folder`, or of the nearest one above that exists."""
    while not folder.exists():
        folder = folder.parent
    disk = os.statvfs(folder)
    if disk.f_files and not disk.f_favail:  # no more files, however small
        return 0
    return disk.f_bavail * disk.f_frsize


def takes_files(folder: Path) -> bool:
    """Tries whether a small file can be written to the folder now, and leaves none."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(2**16))
    except OSError:
        return False
    return True


def shortage(folders: Sequence[Path], reserve: int) -> str | None:
    """Returns one line about the first disk with less than `reserve` bytes free; None where all have room."""
    for folder in folders:
        free = free_bytes(folder)
        if free < reserve:
            return (
                f"the disk of {folder} is full: {in_gb(free)} are free, {in_gb(reserve)} must be; free some (see "
                f"du -xsh {folder}/*), or ask for less: --set checkpoints.reserve_gb=0.1"
            )
    return None


def in_gb(size: int) -> str:
    """Returns `12.3 GB`, `0.45 GB`, `3.1 MB`."""
    if size >= 10 * GB:
        return f"{size / GB:.1f} GB"
    return f"{size / GB:.2f} GB" if size >= GB / 10 else f"{size / 10**6:.1f} MB"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Returns the error and all that it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
