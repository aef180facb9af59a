"""Shows what a person sees in a terminal: what is written to it moves its cursor and erases its lines."""

from __future__ import annotations

import io
import re

_PARTS = re.compile(r"\x1b\[(\??\d*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")


class Screen(io.StringIO):
    """Obeys the orders by which a live table repaints itself: up, carriage return, erase the line, hide the cursor.

    lines: all that stands on it, also what has been scrolled out of sight.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines = [""]
        self.cursor_is_shown = True
        self._row = 0

    def write(self, text: str) -> int:
        """Does what a terminal would do; raises ValueError for an order that it does not know."""
        if _PARTS.sub("", text):
            raise ValueError(f"no terminal is asked for this here: {text!r}")
        for number, order, carriage_return, line_feed, words in _PARTS.findall(text):
            if order == "A":
                self._row -= int(number or 1)
            elif order == "K" or carriage_return:
                self.lines[self._row] = ""
            elif order in ("l", "h") and number == "?25":
                self.cursor_is_shown = order == "h"
            elif order and order != "m":
                raise ValueError(f"no terminal is asked for this here: {text!r}")
            elif line_feed:
                self._row += 1
                self.lines += [""] * (self._row + 1 - len(self.lines))
            else:
                self.lines[self._row] += words
        return len(text)
