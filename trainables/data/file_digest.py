"""Tells whether data are the same as before: digests of files, and the fingerprint that is kept with a study."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

HASHED_WHOLE = 2**30  # bytes of all files together; above it three pieces of each are hashed
PIECE = 2**16  # bytes


def fingerprint(parts: Iterable[bytes]) -> str:
    """Returns 16 hex digits of the SHA-256 of all parts, one after another: the same digits mean the same data."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def digest_files(files: Iterable[Path]) -> Iterator[bytes]:
    """Yields, in the order of the paths, a digest of the size and the bytes of each file, or b"absent".

    All bytes count where the files have up to 1 GiB together, else 64 KiB of each from its beginning, middle and end.
    """
    found = [(file, _size(file)) for file in sorted(set(files))]
    whole = sum(size or 0 for _, size in found) <= HASHED_WHOLE
    for file, size in found:
        yield b"absent" if size is None else _digest(file, size, whole)


def _size(file: Path) -> int | None:
    """Returns the size of a file in bytes; None where there is no ordinary file."""
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _digest(file: Path, size: int, whole: bool) -> bytes:
    """Returns the SHA-256 of the size and the bytes, or of three pieces of them unless `whole`."""
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb", buffering=0) as stream:
        if whole or size <= 3 * PIECE:
            while piece := stream.read(2**20):
                digest.update(piece)
        else:
            for start in (0, size // 2, size - PIECE):
                stream.seek(start)
                digest.update(stream.read(PIECE))
    return digest.digest()
