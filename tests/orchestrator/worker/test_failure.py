"""What a reader is told of an exception: its cause, wherever libraries have put it, and where that was raised."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.checkpoints.storage import StorageError
from orchestrator.job import Failure, FailureClass
from orchestrator.worker.failure import failure_of

HERE = Path(__file__).as_posix()


def line_of(code: str) -> str:
    """Returns the place of the only line of this file that contains `code`, as a failure names it."""
    [number] = [
        n for n, line in enumerate(Path(HERE).read_text().splitlines(), 1) if code in line and "line_of" not in line
    ]
    return f"{HERE}:{number}"


def raised_by(function: Callable[[], Any]) -> BaseException:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def told(function: Callable[[], Any]) -> str:
    return failure_of(raised_by(function)).message


class Pages:
    """Stands for a data set with a bad page."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        raise ValueError("page 7: no text")


class ChainedPages(Pages):
    def __getitem__(self, index: int) -> int:
        try:
            return {}[7]
        except KeyError as missing:
            raise ValueError("page 7: no text, as said below") from missing


class LookedUpPages(Pages):
    def __getitem__(self, index: int) -> int:
        return {}["page 9"]


def load(pages: Pages, workers: int = 1) -> None:
    from torch.utils.data import DataLoader

    list(DataLoader(pages, num_workers=workers))  # type: ignore[arg-type]


def test_what_a_worker_of_a_data_loader_raised_is_told_as_if_it_had_been_raised_here():
    alone, apart = raised_by(lambda: load(Pages(), 0)), raised_by(lambda: load(Pages(), 1))
    assert "Caught ValueError in DataLoader worker process 0" in str(apart)
    place = line_of('raise ValueError("page 7: no text")')
    for error in (alone, apart):
        failure = failure_of(error)
        assert (failure.message, failure.cause, failure.place) == ("ValueError: page 7: no text", "ValueError", place)
    assert "Original Traceback" in (failure_of(apart).traceback or "")
    chained = failure_of(raised_by(lambda: load(ChainedPages())))
    assert chained.message == "ValueError: page 7: no text, as said below; caused by KeyError: 7"
    assert (chained.cause, chained.place) == ("KeyError", line_of("return {}[7]"))
    assert told(lambda: load(LookedUpPages())) == "KeyError: 'page 9'"  # torch gives it a text of another class


def test_a_wrapped_text_in_a_wrapped_text_is_looked_into():
    inner = """\
        Caught ValueError in DataLoader worker process 3.
        Original Traceback (most recent call last):
          File "/opt/venv/lib/python3.11/site-packages/torch/utils/data/_utils/worker.py", line 349, in _worker_loop
            data = fetcher.fetch(index)
          File "/home/me/pages.py", line 12, in __getitem__
            raise BadPage("page 7: no text")
        pages.BadPage: page 7: no text
    """
    outer = (
        "Caught RuntimeError in replica 0 on device 0.\n"
        "Original Traceback (most recent call last):\n"
        '  File "/opt/venv/lib/python3.11/site-packages/torch/nn/parallel/parallel_apply.py", line 83, in _worker\n'
        "    output = module(*input, **kwargs)\n"
        f"RuntimeError: {textwrap.dedent(inner)}"
    )
    failure = failure_of(RuntimeError(outer))
    assert failure == Failure(
        FailureClass.EXCEPTION, "BadPage: page 7: no text", failure.traceback, "/home/me/pages.py:12", "BadPage"
    )


def _in_a_pool() -> None:
    raise ValueError("page 7: no text (pool)")


def test_what_a_process_pool_wraps_has_the_place_of_the_other_process():
    with ProcessPoolExecutor(1) as pool:
        failure = failure_of(raised_by(lambda: pool.submit(_in_a_pool).result()))
    assert failure.message == "ValueError: page 7: no text (pool)"
    assert failure.place == line_of('raise ValueError("page 7: no text (pool)")')


def test_a_traceback_that_somebody_put_into_a_text_is_looked_into_and_their_own_words_are_kept():
    def wrap() -> None:
        try:
            _in_a_pool()
        except ValueError:
            text = traceback.format_exc()
        raise RuntimeError(f"epoch 3 failed:\n{text}")

    assert told(wrap) == "RuntimeError: epoch 3 failed; caused by ValueError: page 7: no text (pool)"


def test_the_first_cause_of_a_chain_is_told_and_its_place_is_the_failures():
    def chain(explicit: bool, hidden: bool = False) -> None:
        try:
            Path("/nowhere/at/all").read_text()
        except OSError as error:
            if hidden:
                raise RuntimeError("no settings") from None
            if explicit:
                raise RuntimeError("no settings") from error
            raise RuntimeError("no settings")  # noqa: B904  this is what is tried

    missing = "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/at/all'"
    assert told(lambda: chain(True)) == f"RuntimeError: no settings; caused by {missing}"
    assert told(lambda: chain(False)) == f"RuntimeError: no settings; raised while handling {missing}"
    assert told(lambda: chain(True, hidden=True)) == "RuntimeError: no settings"
    failure = failure_of(raised_by(lambda: chain(True)))
    assert (failure.cause, failure.place) == ("FileNotFoundError", line_of('Path("/nowhere/at/all").read_text()'))


def test_a_group_tells_its_first_and_a_command_what_it_printed_last():
    def group() -> None:
        raise ExceptionGroup("two tasks failed", [ValueError("page 7"), KeyError("x")])

    assert told(group) == "ExceptionGroup: two tasks failed (2 sub-exceptions); caused by ValueError: page 7"
    program = "import sys; print('reading', file=sys.stderr); sys.exit('no GPU')"
    command = [sys.executable, "-c", program]
    assert told(lambda: subprocess.run(command, check=True, capture_output=True)).endswith("exit status 1.: no GPU")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no message"),
        ("\n\n  one\n", "one"),
        (
            "Error(s) in loading state_dict for Net:\n\tMissing key(s): 'a'.\n",
            "Error(s) in loading state_dict for Net: Missing key(s): 'a'.",
        ),
        (
            "1 validation error for Config\nlr\n  must be above 0\nlong advice\n",
            "1 validation error for Config lr must be above 0",
        ),
        ("first paragraph\n\nsecond one", "first paragraph"),
        ("x" * 10_000, "x" * 297 + "..."),
    ],
)
def test_a_text_of_several_lines_is_told_on_one(text: str, expected: str):
    assert failure_of(RuntimeError(text)).message == f"RuntimeError: {expected}"


class Unsayable(Exception):
    def __str__(self) -> str:
        raise KeyError("text")


class Hostile(Exception):
    @property
    def __cause__(self) -> BaseException:  # type: ignore[override]
        raise RuntimeError("no cause")


def test_nothing_that_is_odd_about_an_exception_keeps_it_from_being_told():
    said = "Unsayable: its text cannot be shown, because its __str__ raised KeyError"
    assert failure_of(Unsayable()).message == said
    euckr = failure_of(ValueError(b"\xbf\xa1.jpg".decode("utf-8", "surrogateescape")))
    assert euckr.message == r"ValueError: \udcbf\udca1.jpg"
    assert "\\udcbf" in (euckr.traceback or "")
    assert failure_of(ValueError("a\0b")).message == r"ValueError: a\x00b"
    assert failure_of(Hostile()).message == "Hostile: it cannot be shown (RuntimeError)"
    for interrupt in (KeyboardInterrupt(), GeneratorExit(), SystemExit(3)):
        failure = failure_of(interrupt)
        assert failure.kind is FailureClass.EXCEPTION
        assert failure.message.startswith(type(interrupt).__name__)
    circle = RuntimeError("a")
    circle.__context__ = RuntimeError("b")
    circle.__context__.__context__ = circle
    assert failure_of(circle).message == "RuntimeError: a; raised while handling RuntimeError: b"


def test_a_full_disk_and_a_storage_that_is_away_are_no_failure_of_the_trial():
    full = RuntimeError("cannot write")
    full.__cause__ = OSError(28, "No space left on device")
    assert failure_of(full).kind is FailureClass.STORAGE
    assert failure_of(StorageError("s3 is away")) == Failure(FailureClass.STORAGE, "s3 is away")


def test_the_place_is_the_trainables_own_line_and_not_that_of_the_library_below_it():
    import json

    failure = failure_of(raised_by(lambda: json.loads("{")))
    assert failure.place == line_of('raised_by(lambda: json.loads("{"))')
