"""Knows the command that was typed, and what may be typed next: for the same home, file, --set and name."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.home import Home
from orchestrator.secret import mask_arguments

PLACE = ("--home", "--ledger")
LIMITS = ("--trials", "--hours", "--until")  # They hold for one run of the command.
RUN_FLAGS = ("--fresh", "--smoke", "--skip-preflight", "--detach")
NIGHT_FLAGS = ("--wait", "--daemon", "--scheduled", "--dry-run")
# Options without a value.
FLAGS = (*RUN_FLAGS, *NIGHT_FLAGS, "--force", "--json", "--history", "--now", "--restore", "--excel")
# The options of a verb that may follow another; a test holds them to the command's own.
OPTIONS = {
    "run": ("--set", "--name", "--address", "--home", "--ledger", *LIMITS, *RUN_FLAGS),
    "train": ("--set", "--name", "--address", "--home", "--ledger", "--fresh", "--skip-preflight", "--detach"),
    "check": ("--set", "--name", "--address", "--home", "--ledger"),
}


@dataclass(frozen=True)
class TypedCommand:
    """Holds a command line: `tune run s.yaml --set space.lr=1`. parts: arguments, and each option with its value."""

    program: str
    verb: str
    parts: tuple[tuple[str, ...], ...]

    @staticmethod
    def read(line: str) -> TypedCommand:
        """Returns the command of a line as a shell reads it; cut at its blanks where a shell would not take it."""
        try:
            words = shlex.split(line)
        except ValueError:
            words = line.split()
        program, *rest = words or ["tune"]
        verb = rest.pop(0) if rest and not rest[0].startswith("--") else ""
        return TypedCommand.of(program, verb, rest)

    @staticmethod
    def of(program: str, verb: str, words: Iterable[str]) -> TypedCommand:
        return TypedCommand(program, verb, tuple(_parts(iter(words))))

    def __str__(self) -> str:
        """Writes the command for a shell, with what stands behind `--` at its end."""
        parts = sorted(self.parts, key=lambda part: part[0] == "--")
        verb = [self.verb] if self.verb else []
        return shlex.join([self.program, *verb, *(word for part in parts for word in part)])

    @property
    def argument(self) -> str | None:
        """Returns the first word that is no option, such as the study file."""
        return next((part[-1] for part in self.parts if not part[0].startswith("--") or part[0] == "--"), None)

    @property
    def place(self) -> tuple[str, ...]:
        """Returns `--home DIR` and `--ledger URL` as they were typed, a password masked."""
        return tuple(mask_arguments([word for part in self.parts if part[0] in PLACE for word in part]))

    def values_of(self, option: str) -> list[str]:
        """Returns what was given to an option, in the order typed."""
        return [part[1] for part in self.parts if part[0] == option and len(part) == 2]

    def has(self, option: str) -> bool:
        return any(part[0] == option for part in self.parts)

    def plus(self, *words: str) -> TypedCommand:
        """Returns the command with one more option."""
        return replace(self, parts=(*self.parts, words))

    def without(self, options: Iterable[str]) -> TypedCommand:
        left_out = set(options)
        return replace(self, parts=tuple(part for part in self.parts if part[0] not in left_out))

    def as_verb(self, verb: str) -> TypedCommand:
        """Returns another verb for the same file, with those options that it knows."""
        kept = [part for part in self.parts if not part[0].startswith("--") or part[0] in ("--", *OPTIONS[verb])]
        return TypedCommand(self.program, verb, tuple(kept))

    def go_on(self) -> TypedCommand:
        """Returns the same command without what would move the study aside, or what would mean another day by now."""
        return self.without(["--fresh", "--until"])

    def more(self, name: str, seed: int) -> TypedCommand:
        """Returns the command for four more trials of the same study; for one config, that with another seed.

        name: of the study. seed: that it was trained with.
        """
        again = self.without(["--fresh", *LIMITS])
        if self.verb != "train":
            return again.plus("--trials", "+4")
        kept = (part for part in again.parts if part[0] != "--name" and not part[-1].startswith("search.seed="))
        again = replace(again, parts=tuple(kept))
        return again.plus("--set", f"search.seed={seed + 1}").plus("--name", f"{name}-seed{seed + 1}")


def typed() -> TypedCommand:
    """Returns the command that runs in this process, without its secrets; `tune` alone for another program."""
    program = _program()
    if program is None:
        return TypedCommand("tune", "", ())
    verb, *words = mask_arguments(sys.argv[1:]) or [""]
    return TypedCommand.of(program, verb, words)


def command(home: Home, *words: str) -> str:
    """Returns a command for this home, as one line for a shell: `tune show hrnet --home other`."""
    return shlex.join([_program() or "tune", *words, *home.options])


def beside(*words: str) -> str:
    """Returns a command for the home of the command that runs in this process."""
    return shlex.join([_program() or "tune", *words, *typed().place])


def _program() -> str | None:
    """Returns the name by which the command was called; None where another program runs."""
    name = Path(sys.argv[0]).name if sys.argv else ""
    return name if name in ("tune", "nightsweep") else "tune" if name in ("tune.py", "__main__.py") else None


def _parts(words: Iterator[str]) -> Iterator[tuple[str, ...]]:
    """Yields each argument, and each option with its value: ("a.yaml",), ("--set", "space.lr=1"), ("--fresh",)."""
    for word in words:
        if word == "--":
            yield (word, *words)
        elif word.startswith("--") and "=" in word:
            yield tuple(word.split("=", 1))
        elif word.startswith("--") and word not in FLAGS:
            yield (word, *([value] if (value := next(words, None)) is not None else []))
        else:
            yield (word,)
