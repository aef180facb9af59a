"""Sees to it that Python keeps docstrings: Ray cannot be imported without, and `--help` would be empty."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence


def restart_with_docstrings() -> None:
    """Starts the program again with -O in the place of -OO or PYTHONOPTIMIZE=2; does nothing without these."""
    again = words_with_docstrings(sys.flags.optimize, sys.orig_argv, os.environ)
    if again is not None:
        words, environment = again
        os.execve(sys.executable, words, environment)


def words_with_docstrings(
    optimize: int, words: Sequence[str], environment: Mapping[str, str]
) -> tuple[list[str], dict[str, str]] | None:
    """Returns the command line and environment to start again with; None where docstrings are kept.

    optimize: the level that Python runs with. words: its command line. Exits with 2 where they keep it so.
    """
    if optimize < 2:
        return None
    kept = ["-O" if word.startswith("-OO") else word for word in words]
    if kept == list(words) and environment.get("PYTHONOPTIMIZE") in (None, "", "0", "1"):
        raise SystemExit("tune: Python must keep docstrings, but was told to strip them; start it without -OO")
    return [sys.executable, *kept[1:]], {**environment, "PYTHONOPTIMIZE": "1"}
