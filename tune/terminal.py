"""What reaches a terminal: text and our own colours, never an order that a name, a metric or a traceback holds."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# Control characters but for tab and line feed, line and paragraph separators, what turns the direction of writing
# around, halves of characters, annotations, and tags that cannot be seen.
_ORDERS = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    r"""The text with what a terminal would obey written out: \x1b."""
    return _ORDERS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def visible_json(text: str) -> str:
    """The same for JSON, which stays the same JSON."""
    return _ORDERS.sub(lambda match: json.dumps(match[0])[1:-1], text)


class Terminal(Console):
    """A console that prints no order but its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else visible(segment.text)
            yield segment if text == segment.text else Segment(text, segment.style)


class _Visible(io.TextIOBase):
    def write(self, text: str) -> int:
        sys.stdout.write(visible(text))
        return len(text)


def output() -> TextIO:
    """Standard output for what is a file: exactly as it is where it is piped, without orders where a person sees it."""
    return _Visible() if sys.stdout.isatty() else sys.stdout  # type: ignore[return-value]  # all that writers need
