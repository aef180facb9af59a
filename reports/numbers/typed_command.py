"""Takes a command apart that a user typed, so that what is advised next keeps what still holds of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

FLAGS = ("--fresh", "--smoke", "--skip-preflight", "--detach", "--force", "--json", "--history")  # They have no value.


def without(command: str, *options: str) -> str:
    """Returns the command without these options and their values."""
    return shlex.join(word for part in _parts(command) if part[0] not in options for word in part)


def values_of_option(command: str, option: str) -> list[str]:
    """Returns what was given to an option, in the order typed."""
    return [part[1] for part in _parts(command) if part[0] == option and len(part) == 2]


def _parts(command: str) -> Iterator[tuple[str, ...]]:
    """Yields the words, an option with its value: ("tune",), ("run",), ("a.yaml",), ("--set", "space.lr=1")."""
    try:
        words = iter(shlex.split(command))
    except ValueError:  # It is not what a shell would accept, so it is only cut into words.
        words = iter(command.split())
    for word in words:
        if word.startswith("--") and "=" in word:
            option, _, value = word.partition("=")
            yield option, value
        elif word.startswith("--") and word not in FLAGS and (value := next(words, "")):
            yield word, value
        else:
            yield (word,)
