"""Keeps what a run says in its study's folder, for `tune attach` and for whoever lost the terminal."""

from __future__ import annotations

import io
import os
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from tune.outlet import WRITTEN_OUT

NAME = "run.log"  # in the study's folder
_SESSION = "--- "
_KEPT_LINES = 1000  # of a log that cannot be created


class RunLog(io.TextIOBase):
    """Writes to the end of a study's run.log, and raises nothing: a full disk costs lines of it, not the study.

    What is written before `open` is kept until then, because a start that is refused creates nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor: int | None = None
        self._kept: deque[str] = deque(maxlen=_KEPT_LINES)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a plain attribute.
        return "utf-8"

    def writable(self) -> bool:
        return True

    def open(self, heading: str) -> bool:
        """Creates the file, or adds to the one that is there, below a heading of its own. Returns whether that went."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError:
            return False
        self.write(f"{begin_of_session(heading)}\n" + "".join(self._kept))
        self._kept.clear()
        return True

    def write(self, text: str) -> int:
        """Writes the text whole where that is possible now."""
        if self.descriptor is None:
            self._kept.append(text)
        else:
            with suppress(OSError):
                os.write(self.descriptor, text.encode("utf-8", WRITTEN_OUT))
        return len(text)

    def flush(self) -> None:
        """Does nothing: everything is written at once."""

    def close(self) -> None:
        """Closes the file."""
        if self.descriptor is not None:
            os.close(self.descriptor)
        self.descriptor = None
        super().close()


def begin_of_session(heading: str) -> str:
    """Writes the line above what one start of the study says."""
    return f"{_SESSION}{time.strftime('%Y-%m-%d %H:%M:%S')}  {heading}"


def last_session(data: bytes) -> int:
    """Returns where in the file the last start begins; 0 where no heading is found."""
    return max(0, data.rfind(b"\n" + _SESSION.encode()) + 1)
