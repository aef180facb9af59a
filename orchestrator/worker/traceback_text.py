"""Reads exceptions out of texts: tracebacks that torch, process pools and people put into another exception's text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_HEADER = re.compile(r"^\s*(?:Original )?Traceback \(most recent call last\):\s*$")
_FRAME = re.compile(r'^\s+File "(.+)", line (\d+)')
_RAISED = re.compile(r"^([A-Za-z_][\w.<>]*)(?:: ?(.*))?$")
_CAUSE_FOLLOWED = "The above exception was the direct cause of the following exception:"
_HANDLING_FOLLOWED = "During handling of the above exception, another exception occurred:"
_LIBRARY = re.compile(r"/(?:site|dist)-packages/|/lib/python3\.\d+/|^<")
_OURS = str(Path(__file__).parents[1]) + "/"
_LINES, _LONGEST = 3, 300  # What is shown of a text: so many lines, so many characters.


@dataclass(frozen=True)
class Frame:
    """Names a line of code."""

    file: str
    line: int


@dataclass(frozen=True)
class Cause:
    """Holds one exception of a chain.

    how: its relation to the exception that came of it. kind: the name of its class. text: one line. place: file:line.
    """

    how: str
    kind: str
    text: str
    place: str | None


def causes_in(how: str, text: str) -> list[Cause]:
    """Returns the exceptions whose tracebacks stand in a text, from the outermost to the first one; [] without any.

    how: the relation of the outermost to what the text is of.
    """
    lines = text.splitlines()
    found: list[Cause] = []
    group = 0  # Where the exceptions of the innermost text begin.
    relation = "wraps"
    index = 0
    while index < len(lines):
        line = lines[index]
        index += 1
        if line.strip() == _CAUSE_FOLLOWED:
            relation = "caused by"
        elif line.strip() == _HANDLING_FOLLOWED:
            relation = "raised while handling"
        elif _HEADER.match(line):
            cause, index = _read(lines, index)
            if cause is None:
                continue
            if relation == "wraps":
                if found and cause != found[-1] and found[-1].text.startswith("Caught "):
                    found.pop()
                group = len(found)
                found.append(cause)
            else:
                below = found[group]
                found[group : group + 1] = [cause, Cause(relation, below.kind, below.text, below.place)]
            relation = "wraps"
    if found:
        found[0] = Cause(how, found[0].kind, found[0].text, found[0].place)
    return [found[0], *(Cause(c.how or "caused by", c.kind, c.text, c.place) for c in found[1:])] if found else []


def _read(lines: Sequence[str], index: int) -> tuple[Cause | None, int]:
    """Reads one traceback below its header; returns its exception, None where there is none, and the next line."""
    frames = []
    while index < len(lines) and (lines[index][:1].isspace() or not lines[index]):
        if frame := _FRAME.match(lines[index]):
            frames.append(Frame(frame[1], int(frame[2])))
        index += 1
    if index == len(lines) or not (raised := _RAISED.match(lines[index])):
        return None, index
    said = [raised[2] or ""]
    index += 1
    while index < len(lines) and lines[index].strip() not in ("", '"""') and not _HEADER.match(lines[index]):
        said.append(lines[index])
        index += 1
    return Cause("", raised[1].rpartition(".")[2], first_lines("\n".join(said)), place_of(frames)), index


def first_lines(text: str) -> str:
    """Returns the first paragraph of a text on one line, cut to _LONGEST characters."""
    kept: list[str] = []
    for line in text.splitlines():
        if kept and (not line.strip() or len(kept) == _LINES):
            break
        if line.strip():
            kept.append(" ".join(line.split()))
    joined = " ".join(kept)
    return joined if len(joined) <= _LONGEST else joined[: _LONGEST - 3] + "..."


def place_of(frames: Sequence[Frame]) -> str | None:
    """Returns the innermost line that is neither a library's nor ours, else the innermost: /home/me/train.py:12."""
    own = [frame for frame in frames if not _LIBRARY.search(frame.file) and not frame.file.startswith(_OURS)]
    chosen = (own or list(frames))[-1:]
    return f"{chosen[0].file}:{chosen[0].line}" if chosen else None
