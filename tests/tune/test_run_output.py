"""Where a run's output goes while it runs: the terminal or the pipe for as long as there is one, and run.log."""

from __future__ import annotations

import os
import pty
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TextIO

from tests.harness.fake_cluster import FakeCluster, run_out
from tests.harness.waiting import wait_for
from tune.live import RunView
from tune.run_log import last_session
from tune.run_output import RunOutput
from tune.show import console, say


@contextmanager
def terminal() -> Iterator[int]:
    """Lets standard output and error be a terminal; yields the descriptor of its other end."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as out, os.fdopen(os.dup(theirs), "w") as err, redirected(out, err):
        yield ours
    os.close(ours)


@contextmanager
def pipes() -> Iterator[tuple[int, int]]:
    """Lets standard output and error be pipes; yields their other ends, which the test closes."""
    (out_there, out_here), (error_there, error_here) = os.pipe(), os.pipe()
    with os.fdopen(out_here, "w") as out, os.fdopen(error_here, "w") as err, redirected(out, err):
        yield out_there, error_there


@contextmanager
def redirected(out: TextIO, err: TextIO) -> Iterator[None]:
    with redirect_stdout(out), redirect_stderr(err):
        yield


def run(folder: Path, between: Callable[[], None] = lambda: None) -> list[str]:
    """Runs a study of two trials; returns its log without dates. between: is called before the first of them."""
    log = folder / "toy" / "run.log"
    with RunOutput(log, "tune run toy.yaml", "toy goes on") as output:
        view = RunView(output, console())
        view.announce("toy: before all")
        study = FakeCluster(folder, on_event=view.event, scheduler={"name": "none"}, budget={"trials": 2}).study
        view.begin(study, None)
        between()
        run_out(study)
        view.tick()
        view.end()
        say("toy: after all")
    return [line.partition("  ")[2] if line[:4].isdigit() else line for line in log.read_text().splitlines()]


def hang_up() -> None:
    """Does to this process what a terminal that closes does."""
    os.kill(os.getpid(), signal.SIGHUP)


def assert_whole(lines: list[str]) -> None:
    """The log tells all that happened, each once, and holds no order to a terminal."""
    assert lines[0].startswith("--- ") and lines[0].endswith("  tune run toy.yaml")
    assert lines[1] == "toy: before all" and lines[-1] == "toy: after all"
    for number in (1, 2):
        assert [line for line in lines if line.startswith(f"{number:04d}  started")], lines
        assert len([line for line in lines if line.startswith(f"{number:04d}  completed")]) == 1
    assert "\x1b" not in "".join(lines)


def test_a_terminal_has_the_table_and_the_log_the_lines(tmp_path: Path):
    with terminal() as screen:
        lines = run(tmp_path)
        assert b"\x1b" in os.read(screen, 100_000)
    assert_whole(lines)
    data = (tmp_path / "toy" / "run.log").read_bytes() + b"--- again\nmore\n"
    assert data[last_session(data) :] == b"--- again\nmore\n"


def test_a_closed_terminal_leaves_the_study_its_log(tmp_path: Path):
    with terminal():
        lines = run(tmp_path, hang_up)
    assert_whole([line for line in lines if not line.startswith("the terminal is gone")])
    assert "the terminal is gone; toy goes on" in lines


def test_a_terminal_that_closes_before_the_study_begins_costs_nothing(tmp_path: Path):
    with terminal(), RunOutput(tmp_path / "toy" / "run.log", "tune run toy.yaml", "toy goes on") as output:
        view = RunView(output, console())
        hang_up()
        view.announce("toy: looked at")
        assert not (tmp_path / "toy").exists()
        output.begin_log()
        print("by whatever library", flush=True)
    text = (tmp_path / "toy" / "run.log").read_text()
    assert "toy: looked at\n" in text and "by whatever library\n" in text


def test_where_there_is_no_log_the_study_is_asked_to_pause(tmp_path: Path):
    (tmp_path / "toy").write_text("a file where the study's folder should be")
    asked: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    try:
        with terminal(), RunOutput(tmp_path / "toy" / "run.log", "tune run toy.yaml", "toy goes on") as output:
            output.begin_log()
            assert not asked
            hang_up()
            wait_for(lambda: asked, 5)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_pipes_stay_what_they_are_when_the_terminal_closes(tmp_path: Path):
    with pipes() as (out, error):
        assert_whole(run(tmp_path, hang_up))
        said = os.read(out, 100_000).decode()
        assert "0002  completed" in said and said.endswith("toy: after all\n")
        os.close(out)
        os.close(error)


def test_a_reader_who_has_read_enough_is_not_missed_and_the_other_stream_says_so(tmp_path: Path):
    with pipes() as (out, error):
        assert_whole(run(tmp_path, lambda: os.close(out)))
        assert os.read(error, 10_000).decode() == "nobody reads standard output any more; toy goes on\n"
        os.close(error)
