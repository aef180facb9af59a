"""Types commands in the test's own process: a second each is saved that a process of its own would take to start."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tune.program import main


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Typed = Callable[..., Answer]


@pytest.fixture
def typed(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Returns a function that runs `tune WORDS` in this process, in the test's own home, and returns its answer."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*words: object) -> Answer:
        arguments = [str(word) for word in words]
        monkeypatch.setattr(sys, "argv", ["tune", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return Answer(code, *capsys.readouterr())

    return run
