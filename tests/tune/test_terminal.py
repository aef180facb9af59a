"""What a terminal is given of hostile names: all of the text, none of the orders."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tune.terminal import Terminal, output, visible, visible_json

HOSTILE = "a\x1b[2J\x1b]0;title\x07\x9b31m\r\x08\u202eb\u2066\x00\x7f\ud800\U000e0041c\td\n가 é \u200d"


def orders(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\u202e\u2066"} - {
        "\t",
        "\n",
    }


@given(st.text())
def test_no_order_is_left_and_all_else_is(text: str) -> None:
    assert not orders(visible(text))
    if not orders(text) and text.isprintable():
        assert visible(text) == text
    assert json.loads(visible_json(json.dumps(text, ensure_ascii=False))) == text
    assert not orders(visible_json(json.dumps(text, ensure_ascii=False)))


def test_what_is_hidden_can_be_read() -> None:
    assert visible("\x1b[2J\u202e가\tx\n") == "\\x1b[2J\\u202e가\tx\n"


@pytest.mark.parametrize("kind", ["line", "text", "table", "live"])
def test_of_a_name_on_a_console_no_order_comes_through(kind: str) -> None:
    file = io.StringIO()
    console = Terminal(file=file, force_terminal=True, width=300)
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(Text(HOSTILE), style="red")
    if kind == "live":
        with Live(console=console, auto_refresh=False) as live:
            live.update(Group(table, Text(HOSTILE)), refresh=True)
            console.print(HOSTILE, markup=False)
    else:
        shown = {"line": HOSTILE, "text": Text(HOSTILE, style="bold"), "table": table}[kind]
        console.print(shown, markup=False, highlight=False)
    said = file.getvalue()
    assert "\\x1b[2J" in said and "\x1b[2J" not in said and not orders(said) - {"\x1b", "\r"}  # rich's own colours
    assert "\x1b]" not in said and "가 é" in said


def test_a_file_on_a_terminal_is_harmless_and_in_a_pipe_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        print("a\x1b[2Jb", end="", file=output(), flush=True)
        terminal.flush()
    assert os.read(ours, 100) == b"a\\x1b[2Jb"
    os.close(ours)
    monkeypatch.setattr(sys, "stdout", pipe := io.StringIO())
    print("a\x1b[2Jb", end="", file=output())
    assert pipe.getvalue() == "a\x1b[2Jb"
