"""A Python that strips docstrings is started again as one that keeps them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tune.python_options import words_with_docstrings

TUNE = ["-m", "tune", "run", "a.yaml"]


def test_a_python_that_keeps_docstrings_goes_on_as_it_is():
    for level in (0, 1):
        assert words_with_docstrings(level, ["python", *TUNE], {"PYTHONOPTIMIZE": str(level)}) is None


@pytest.mark.parametrize(
    "words, environment, again",
    [
        (TUNE, {"PYTHONOPTIMIZE": "2"}, TUNE),
        (["-OO", *TUNE], {}, ["-O", *TUNE]),
        (["-OO", *TUNE], {"PYTHONOPTIMIZE": "2", "A": "b"}, ["-O", *TUNE]),
    ],
)
def test_what_strips_them_is_weakened_and_all_else_is_kept(
    words: list[str], environment: dict[str, str], again: list[str]
):
    expected = [sys.executable, *again], {**environment, "PYTHONOPTIMIZE": "1"}
    assert words_with_docstrings(2, ["python", *words], environment) == expected


def test_a_python_that_strips_them_in_any_case_is_refused_and_not_started_for_ever():
    with pytest.raises(SystemExit, match="start it without -OO"):
        words_with_docstrings(2, ["python", "-bOO", *TUNE], {"PYTHONOPTIMIZE": "1"})


def test_the_help_of_a_verb_is_whole_under_pythonoptimize_2():
    environment = os.environ | {"PYTHONOPTIMIZE": "2", "COLUMNS": "100"}
    command = [sys.executable, "-m", "tune", "list", "--help"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0 and "List" in shown.stdout, shown
