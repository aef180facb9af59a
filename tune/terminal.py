"""Lets only text and our own colours reach a terminal, never an order hidden in a name, a metric or a traceback."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from tune.outlet import WRITTEN_OUT

# Control characters but for tab and line feed, line and paragraph separators, characters that turn the direction of
# writing around, halves of characters, annotations, and tags that cannot be seen.
_ORDERS = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    r"""Returns the text with what a terminal would obey written out: \x1b."""
    return _ORDERS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def visible_json(text: str) -> str:
    """Writes the same out in JSON, which stays the same JSON."""
    return _ORDERS.sub(lambda match: json.dumps(match[0])[1:-1], text)


class Terminal(Console):
    """Prints no order but its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Writes out the orders that a text holds."""
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else visible(segment.text)
            yield segment if text == segment.text else Segment(text, segment.style)

    @property
    def is_terminal(self) -> bool:
        """Returns whether it is one still. An outlet (outlet.py) leads elsewhere once its terminal was closed."""
        return getattr(self.file, "reaches_its_reader", True) and super().is_terminal

    def on_broken_pipe(self) -> None:
        """Leaves it to the program (program.py), whose exit code this is not for rich to choose."""
        raise BrokenPipeError


class _Visible(io.TextIOBase):
    """Writes to standard output what a terminal would obey as text."""

    def write(self, text: str) -> int:
        """Writes the text with what a terminal would obey written out."""
        sys.stdout.write(visible(text))
        return len(text)


def output(encoding: str = "utf-8") -> TextIO:
    """Returns standard output for what is a file: without orders where a person sees it, else as it is, in UTF-8.

    UTF-8 whatever the encoding of the terminal is, because that is what our files are read as. encoding: utf-8-sig
    writes a byte order mark first, where it is piped.
    """
    if sys.stdout.isatty():
        return _Visible()  # type: ignore[return-value]  # It has all that writers need.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding=encoding, errors=WRITTEN_OUT)
    return sys.stdout
