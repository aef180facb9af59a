"""Lets a stream take what is printed without ever stopping, or holding up, whoever prints.

A reader may be gone (`tune run FILE | head`), stand still (a terminal after Ctrl-S) or sit on a full disk, a terminal
may be closed, and its encoding may lack a character. None of that is a reason to end a night of training.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TextIO

BACKLOG_CHARACTERS = 1_000_000  # that wait for a reader that stands still; what comes on top of them is left out
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # There may be room again.

_PLAIN = {"…": "~", "·": "|", "–": "-", "—": "-"}  # signs of our own, for encodings that lack them


def written_out(error: UnicodeError) -> tuple[str | bytes, int]:
    r"""Handles characters that an encoding lacks, for `errors=`: our own signs become plain ones, others `\uac00`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = (_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking)
    return "".join(plain), error.end


WRITTEN_OUT = "written_out"  # for `errors=`
codecs.register_error(WRITTEN_OUT, written_out)


def lose_no_character(stream: TextIO) -> None:
    """Lets a stream write out the characters that its encoding lacks, where it would raise UnicodeEncodeError."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=WRITTEN_OUT)


def descriptor_of(stream: TextIO) -> int | None:
    """Returns the number of the file below a stream; None where there is none."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def lead_nowhere(descriptor: int, mode: int = os.O_WRONLY) -> None:
    """Lets a descriptor lead to /dev/null. Raises OSError."""
    nothing = os.open(os.devnull, mode)
    os.dup2(nothing, descriptor)
    os.close(nothing)


class Outlet(io.TextIOBase):
    """Takes the place of a stream: a thread of its own writes what is printed to the stream's file.

    on_lost: is called once, on that thread, when nobody will ever read there again; returns the descriptor of a file
    to write to instead, or None to leave out what follows.
    copy: takes all that is printed as well, where it is set. copied: whether what is printed now stands in that file
    already, so that what could not be written is not repeated there.
    """

    def __init__(self, stream: TextIO, descriptor: int, on_lost: Callable[[Outlet], int | None]) -> None:
        stream.flush()
        self._encoding = stream.encoding or "utf-8"
        self._descriptor = descriptor
        self._on_lost = on_lost
        self._lost = False
        self._moved = False
        self.copy: io.TextIOBase | None = None
        self.copied = False
        self._waiting: SimpleQueue[str | None] = SimpleQueue()  # Its put may interrupt itself: signal handlers print.
        self._put = self._written = self._skipped = 0  # characters; those up to `_skipped` are not written any more
        self._thread = threading.Thread(target=self._work, name="outlet", daemon=True)
        self._thread.start()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a plain attribute.
        return self._encoding

    @property
    def behind(self) -> bool:
        """Returns whether something is still to be written. What only repaints a screen had better wait."""
        return self._put > self._written

    @property
    def reaches_its_reader(self) -> bool:
        """Returns whether what is printed still goes where the user sent it."""
        return not self._moved and not self._lost

    def isatty(self) -> bool:
        """Does a person see it? Not once it was moved elsewhere."""
        return self.reaches_its_reader and os.isatty(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Takes the text; raises nothing, and does not wait."""
        if self.copy is not None and not self._moved:
            self.copy.write(text)
        if text and self._put - self._written < BACKLOG_CHARACTERS:
            self._put += len(text)
            self._waiting.put(text)
        return len(text)

    def flush(self) -> None:
        """Does nothing: the thread writes at once."""

    def move_to(self, file: int) -> None:
        """Lets everything from now on, that of other libraries included, go to the file of this descriptor."""
        os.dup2(file, self._descriptor)
        self._moved = True

    def skip(self) -> None:
        """Leaves out what still waits to be written: it was meant for a screen, or stands in the log already."""
        self._skipped = self._put

    def settle(self, seconds: float) -> None:
        """Waits until all is written, so many seconds at most."""
        until = time.monotonic() + seconds
        while self.behind and time.monotonic() < until:
            time.sleep(0.01)

    def finish(self) -> None:
        """Waits until all is written, and ends the thread; whoever is held up here can be interrupted."""
        self._waiting.put(None)
        while self._thread.is_alive():
            self._thread.join(0.5)  # A wait without limit would not hear of Ctrl-C.

    def _work(self) -> None:
        while (text := self._waiting.get()) is not None:
            try:
                if self._written >= self._skipped:
                    self._write(text.encode(self._encoding, WRITTEN_OUT))
            except OSError as error:
                if error.errno not in FULL and not self._lost:
                    self._lose(text)
            self._written += len(text)

    def _write(self, data: bytes) -> None:
        """Writes all of it, however long that takes. Raises OSError."""
        if self._lost and not self._moved:
            return
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # Somebody who shares the file has made it so.
                select.select([], [self._descriptor], [])

    def _lose(self, text: str) -> None:
        """Goes on elsewhere, beginning with the text that could not be written."""
        moved = self._moved
        file = self._on_lost(self)
        self._lost = True
        if file is None or moved:
            return
        try:
            self.move_to(file)
            if self.copied or self.copy is not None:
                self.skip()
            else:
                self._write(text.encode(self._encoding, WRITTEN_OUT))
        except OSError:
            return
