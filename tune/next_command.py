"""Rewrites what the user typed into what may be typed next: to go on, for more trials, to check the same file."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

LIMITS = ("--trials", "--hours", "--until")  # They hold for one run of the command.
KEPT_BY_CHECK = ("--set", "--home")
FLAGS = ("--fresh", "--smoke", "--skip-preflight", "--detach")  # These options have no value.


def go_on(command: str) -> str:
    """Returns the same command without what would move the study aside, or what would mean another day by now."""
    return _join(part for part in _parts(command) if part[0] not in ("--fresh", "--until"))


def more(command: str) -> str:
    """Returns the command for four more trials of the same study."""
    return _join(part for part in _parts(go_on(command)) if part[0] not in LIMITS) + " --trials +4"


def check(command: str) -> str:
    """Returns `tune check` of the file of a `tune run`."""
    parts = list(_parts(command))
    kept = [part for part in parts[2:] if not part[0].startswith("-") or part[0] in KEPT_BY_CHECK]
    return _join([parts[0], ("check",), *kept])


def home_option(command: str) -> str:
    """Returns ` --home DIR` if it was typed, to be added to a command for the same home."""
    return "".join(f" {shlex.join(part)}" for part in _parts(command) if part[0] == "--home")


def _parts(command: str) -> Iterator[tuple[str, ...]]:
    """Yields the words, an option with its value: ("tune",), ("run",), ("a.yaml",), ("--set", "space.lr=1")."""
    words = iter(shlex.split(command))
    for word in words:
        if word.startswith("--") and "=" in word:
            yield tuple(word.split("=", 1))
        elif word.startswith("--") and word not in FLAGS:
            yield (word, *([value] if (value := next(words, None)) is not None else []))
        else:
            yield (word,)


def _join(parts: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    """Returns the words as one line for a shell."""
    return shlex.join(word for part in parts for word in part)
