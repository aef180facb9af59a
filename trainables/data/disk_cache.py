"""Makes folders that are costly to make once per machine, for all processes that need the same."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

_DAY = 24 * 3600
ABANDONED_DAYS = 1  # An unfinished folder of this age was left by a process that was killed.
DISUSED_DAYS = 30  # A folder that nobody has touched for so long is removed.

Made = TypeVar("Made")


def cache_folder() -> Path:
    """Returns $NIGHTSWEEP_CACHE, else `nightsweep` in the user's cache folder, else one in the temp folder."""
    if chosen := os.environ.get("NIGHTSWEEP_CACHE"):
        return Path(chosen)
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nightsweep"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):  # A user without a home gives a RuntimeError.
        pass
    return _temporary()


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / f"nightsweep-cache-{os.getuid()}"


def make_once(folder: Path, is_whole: Callable[[Path], bool], fill: Callable[[Path], None]) -> None:
    """Calls `fill` on a new folder that becomes `folder`, unless that `is_whole`; other processes wait meanwhile.

    The new folder is filled beside the old one and then renamed, so that nobody finds half a folder. Where locks do not
    work (some network file systems) several may fill; the first wins, and the others use its folder.
    Raises OSError, and what `fill` raises.
    """
    require_own(folder.parent)
    if is_whole(folder):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder.with_name(f".{folder.name}.lock")):
        if is_whole(folder):
            return
        for left in folder.parent.glob(f".{folder.name}-*"):
            if _age_days(left) > ABANDONED_DAYS:
                shutil.rmtree(left, ignore_errors=True)
        beside = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
        beside.mkdir()
        try:
            fill(beside)
            if folder.exists() and not is_whole(folder):
                shutil.rmtree(folder, ignore_errors=True)  # A power cut left half a folder.
            try:
                beside.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def load_or_make(folder: Path, load: Callable[[Path], Made | None], fill: Callable[[Path], None]) -> Made:
    """Returns what `load` makes of `folder`, which `fill` fills first where `load` returns None.

    Raises OSError, also where `load` returns None of what was just filled, and what `fill` raises.
    """
    make_once(folder, lambda made: load(made) is not None, fill)
    found = load(folder)
    if found is None:
        raise OSError(f"{folder}: must hold what was just written there, but cannot be read; is the disk full?")
    return found


def require_own(folder: Path) -> None:
    """Creates the cache if it is the one in the temp folder, whose name others can guess and might have taken first.

    Raises PermissionError where somebody else could write to it.
    """
    if folder != _temporary():
        return
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        must = "must be a folder of yours that nobody else can write to; remove it, or name another in NIGHTSWEEP_CACHE"
        raise PermissionError(errno.EPERM, must, str(folder))


def touch(folder: Path) -> None:
    """Marks `folder` as in use."""
    with suppress(OSError):
        os.utime(folder)


def remove_disused(pattern: str) -> None:
    """Removes the folders of the cache that match `pattern` and that nobody has touched for DISUSED_DAYS.

    The folder of the cache may hold other people's too: the pattern must match nothing but what was made here.
    """
    for folder in cache_folder().glob(pattern):
        if _age_days(folder) > DISUSED_DAYS:
            shutil.rmtree(folder, ignore_errors=True)


def _age_days(folder: Path) -> float:
    """Returns the days since the folder was last changed or touched; 0 where that cannot be said."""
    try:
        return (time.time() - folder.stat().st_mtime) / _DAY
    except OSError:
        return 0.0


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Waits until no other process is within; a process that dies lets the next one in."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        with suppress(OSError):  # Without locks the result is the same, only made twice.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)
