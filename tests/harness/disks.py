"""Disks of a few megabytes, and what fills them."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path


def mount(place: Path, size: str, *options: str) -> bool:
    """A disk in memory at the new folder `place`; False where none can be mounted: root alone may."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "tmpfs", str(place)]
    return subprocess.run(words, capture_output=True).returncode == 0


def unmount(place: Path) -> None:
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all that was free; the disk has room again once it is removed."""
    file = folder / "somebody-elses-data"
    with file.open("wb", buffering=0) as stream:
        for size in (2**20, 2**12):
            with contextlib.suppress(OSError):
                while stream.write(bytes(size)):
                    continue
    return file
