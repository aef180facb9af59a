"""Writes the entries of a night file into a crontab, and takes them out again. Other lines stay as they are, each byte.

Cron knows neither the time zone of a window nor a machine that slept. So it starts the nights each hour, at the minutes
at which one can begin, and after a boot; by day such a start ends without a word.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from orchestrator.errors import InputMistake

_LONGEST = 990  # bytes of a command: Debian's cron takes 999


def entries(launcher: Path, minutes: Iterable[int]) -> list[str]:
    """Returns the lines that start a script. minutes: of each hour. Raises InputMistake for a path that is too long."""
    command = f"/bin/sh {_for_cron(shlex.quote(str(launcher)))}"
    if len(os.fsencode(command)) > _LONGEST:
        raise InputMistake(f"{launcher}: must be a path of at most {_LONGEST} bytes for cron; name a shorter --home")
    return [f"{','.join(map(str, sorted(set(minutes))))} * * * * {command}", f"@reboot {command}"]


def with_block(table: bytes, night_file: Path, lines: Iterable[str]) -> bytes:
    """Returns a crontab with the entries of a night file, in the place of those that it had. Raises InputMistake."""
    begin, end = _marks(night_file)
    block = b"".join(line + b"\n" for line in (begin, *map(os.fsencode, lines), end))
    before, own, after = _split(table, night_file)
    if not own and before and not before.endswith(b"\n"):
        before += b"\n"
    return before + block + after


def without_block(table: bytes, night_file: Path) -> bytes:
    """Returns a crontab without the entries of a night file. Raises InputMistake."""
    before, _, after = _split(table, night_file)
    return before + after


def has_block(table: bytes, night_file: Path) -> bool:
    """Returns whether a crontab has entries of a night file. Raises InputMistake."""
    return bool(_split(table, night_file)[1])


def _split(table: bytes, night_file: Path) -> tuple[bytes, bytes, bytes]:
    """Returns what stands before the entries, they, and what follows. Raises InputMistake where a mark lacks."""
    begin, end = _marks(night_file)
    lines = [line + b"\n" for line in table.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    bare = [line.removesuffix(b"\n") for line in lines]
    marks = [index for index, line in enumerate(bare) if line in (begin, end)]
    if not marks:
        return table, b"", b""
    if [bare[index] for index in marks] != [begin, end]:
        must = f"must have the lines {os.fsdecode(begin)!r} and {os.fsdecode(end)!r} once each, in this order"
        raise InputMistake(f"crontab: {must}, but has other ones; remove them and what is between by `crontab -e`")
    first, last = marks
    return b"".join(lines[:first]), b"".join(lines[first : last + 1]), b"".join(lines[last + 1 :])


def _marks(night_file: Path) -> tuple[bytes, bytes]:
    name = os.fsencode(night_file)
    return b"# nightsweep begins: " + name, b"# nightsweep ends: " + name


def _for_cron(word: str) -> str:
    r"""Returns a word of a shell as cron must be given it: cron ends a command at a %, unless it is written as \%.

    The two quotes keep a backslash that stands before it from being taken for that of the \%.
    """
    return word.replace("%", "''\\%")
