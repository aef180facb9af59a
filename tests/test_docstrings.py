"""Every docstring of the packages begins with a verb, and says so what its function does before anything else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.folders import REPOSITORY

ROOMS = ("orchestrator", "trainables", "reports", "tune", "benchmarks")
HELP = "tune/verbs/"  # Their functions' docstrings are what `tune VERB --help` prints.
QUESTIONS = ("Does", "Has", "Is", "Was")
NO_VERBS = ("As", "Its", "This")
PARTICIPLE = "Raised"  # of an exception: "Raised where ..."


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yields line and docstring of the module and of every class and function in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


def begins_with_a_verb(text: str) -> bool:
    """Returns whether the first word may be a verb's third person, as in `Returns`, not `The`, `Is it?`, `Print`."""
    first = text.split()[0].strip(",.:;")
    asks = first in QUESTIONS and text.splitlines()[0].endswith("?")
    third_person = first.isalpha() and first.istitle() and first.endswith("s") and first not in NO_VERBS
    return first == PARTICIPLE or (third_person and not asks)


@pytest.mark.parametrize("room", ROOMS)
def test_every_docstring_begins_with_a_verb(room: str) -> None:
    others = [
        f"{file.relative_to(REPOSITORY)}:{line}: {text.splitlines()[0]}"
        for file in sorted(Path(REPOSITORY, room).rglob("*.py"))
        if not str(file.relative_to(REPOSITORY)).startswith(HELP)
        for line, text in docstrings(file.read_text())
        if not begins_with_a_verb(text)
    ]
    assert others == []


@pytest.mark.parametrize("text", ["The epoch.", "Is it one?", "Its end.", "Print it.", "`tune run` again.", "12.3 GB."])
def test_what_begins_otherwise_is_seen(text: str) -> None:
    [(_, found)] = docstrings(f'def function():\n    """{text}"""\n')
    assert not begins_with_a_verb(found)
