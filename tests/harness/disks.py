"""Mounts disks of a few megabytes, and fills them."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path


def mount(folder: Path, size: str, *options: str) -> bool:
    """Mounts a disk in memory at `folder`, which it creates; returns False where it may not, because only root may."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "tmpfs", str(folder)]
    return subprocess.run(words, capture_output=True).returncode == 0


def unmount(folder: Path) -> None:
    """Unmounts the disk at `folder`, even while files on it are open."""
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Returns a file that takes all that was free; the disk has room again once it is removed."""
    file = folder / "somebody-elses-data"
    with file.open("wb", buffering=0) as stream:
        for size in (2**20, 2**12):
            with contextlib.suppress(OSError):
                while stream.write(bytes(size)):
                    continue
    return file
