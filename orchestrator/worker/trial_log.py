"""Writes a trial's log.txt: what its process prints, and our own lines, whatever sys.stdout is by then."""

from __future__ import annotations

import faulthandler
import io
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TAIL = 200_000  # Bytes at the end of a log that are searched for its last stacks.
_BEGIN = re.compile("--- (?:attempt|scoring) ")  # Stands at the start of an attempt.
_HEADINGS = ("Timeout (", "Fatal Python error: ")  # faulthandler writes them above the stacks.


class TrialLog:
    """Sends everything that this process and its children print to a file, by the numbers of the descriptors.

    Raises OSError where the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        for stream in (sys.stdout, sys.stderr):  # What a full disk did not take of the attempt before.
            with suppress(Exception):
                stream.flush()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for number in (1, 2):
            os.dup2(self._descriptor, number)
        sys.stdout = sys.__stdout__ = _stream(1)  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = _stream(2)  # type: ignore[misc]
        faulthandler.enable(self._descriptor)

    def line(self, text: str) -> None:
        """Writes a line of our own; a disk that is full costs the line, not an epoch."""
        with suppress(OSError):
            os.write(self._descriptor, f"{text}\n".encode("utf-8", "backslashreplace"))

    @contextmanager
    def watched(self, limit: float) -> Iterator[None]:
        """Ends the process past so many seconds, the stacks of all threads in here, even if it holds the GIL."""
        faulthandler.dump_traceback_later(min(limit, threading.TIMEOUT_MAX), exit=True, file=self._descriptor)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    def close(self) -> None:
        """Closes the file; what is printed from now on still goes there, until the next log takes its place."""
        for stream in (sys.__stdout__, sys.__stderr__):
            with suppress(Exception):
                stream.flush()  # type: ignore[union-attr]
        faulthandler.enable(2)
        os.close(self._descriptor)


def _stream(descriptor: int) -> io.TextIOWrapper:
    """Opens a descriptor as Python does for print; nothing that a trainable prints or closes harms it."""
    return open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def stacks_in(log: Path) -> str | None:
    """Returns the stacks that the last attempt left in its log when it hung or crashed; None where it left none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    begun = max((match.start() for match in _BEGIN.finditer(text)), default=-1)
    start = max(text.rfind(heading) for heading in _HEADINGS)
    return None if start <= begun else text[start:]
