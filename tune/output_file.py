"""Writes the files that --output names: whole or not at all, and never over what somebody else wrote."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from orchestrator.home import Home


class Written:
    """Remembers what the command wrote for --output, by its SHA-256: a file that was changed since is not ours."""

    def __init__(self, home: Home) -> None:
        self._file = home.path / ".written"

    def holds(self, file: Path) -> bool:
        """Returns whether the file is as the command wrote it."""
        try:
            known = self._file.read_text(encoding="utf-8").splitlines()
            return _digest(file) in {line.partition("  ")[0] for line in known}
        except OSError:  # Nothing was written yet, or one of both files may not be read.
            return False

    def add(self, file: Path) -> None:
        """Remembers the file as it is now."""
        # In a home that may only be read nothing is remembered: the next time asks for --force.
        with contextlib.suppress(OSError), self._file.open("a", encoding="utf-8", errors="replace") as known:
            known.write(f"{_digest(file)}  {file.name}\n")


def check_free(option: str, files: Sequence[Path], home: Home, *, force: bool) -> None:
    """Raises InputMistake for each file that is there and that the command did not write, unless force is set."""
    from orchestrator.errors import InputMistake

    written = Written(home)
    taken = [file for file in files if not force and file.is_file() and not written.holds(file)]
    if taken:
        must = f"{option}: must be a new file, or one that tune wrote and nobody changed"
        raise InputMistake(
            *(f"{must}, but {file} is another; give another name, or add --force to replace it" for file in taken)
        )


@contextmanager
def written_to(
    file: Path | None, home: Home, *, force: bool = False, inputs: Sequence[Path] = (), encoding: str = "utf-8"
) -> Iterator[TextIO]:
    """Opens the file of --output and prints its name once it is written; standard output without a file, or for `-`.

    What is written lies beside the file until it is whole; where the writing fails, the file stays as it was. inputs:
    what is read for it, which --force does not replace either. Raises InputMistake, OSError.
    """
    from tune.terminal import output

    if file is None or str(file) == "-":
        yield output(encoding)
        return
    target = Path(os.path.realpath(file))
    _check_place(file, target, inputs)
    if target.exists() and not target.is_file():  # A pipe or a device takes what comes; it cannot be replaced.
        with target.open("w", encoding=encoding, newline="") as stream:
            yield stream
        return
    check_free("--output", [target], home, force=force)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    os.close(descriptor)
    beside = Path(name)
    try:
        with beside.open("w", encoding=encoding, newline="") as stream:  # Its name tells in which folder it will lie.
            yield stream
        beside.chmod(_mode(target))
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    Written(home).add(target)
    print(file)


def _check_place(file: Path, target: Path, inputs: Sequence[Path]) -> None:
    """Raises InputMistake where no file can stand, and where one stands that is read for this one."""
    from orchestrator.errors import InputMistake

    if target.is_dir():
        raise InputMistake(f"--output: must be a file, but {file} is a folder; name a file in it")
    if not target.parent.is_dir():
        raise InputMistake(f"--output: must lie in a folder that is there, but {target.parent} is not; make it first")
    if target.exists() and any(target.samefile(each) for each in inputs if each.exists()):
        raise InputMistake(f"--output: must not be one of the files that are read, but got {file}; give another name")


def _mode(target: Path) -> int:
    """Returns the rights of the file that is replaced, else those of a new file."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
