"""What is printed stops nobody: readers that are gone or stand still, full disks, encodings that lack a character."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness.waiting import wait_for
from tune.outlet import BACKLOG_CHARACTERS, Outlet, lose_no_character

MakeOutlet = Callable[..., Outlet]


@pytest.fixture
def outlet_to() -> Iterator[MakeOutlet]:
    """Returns a function: `outlet_to(descriptor)` makes an outlet to that file, which goes on in the file `then`."""
    made: list[tuple[Outlet, io.TextIOWrapper]] = []

    def make(descriptor: int, then: int | None = None, encoding: str = "utf-8") -> Outlet:
        stream = os.fdopen(descriptor, "w", encoding=encoding)
        made.append((Outlet(stream, descriptor, lambda lost: then), stream))
        return made[-1][0]

    yield make
    for outlet, stream in made:
        outlet.finish()
        stream.close()


def test_what_a_reader_who_is_gone_does_not_take_goes_on_elsewhere(outlet_to: MakeOutlet, tmp_path: Path):
    there, here = os.pipe()
    os.close(there)
    with (tmp_path / "log").open("w") as log:
        outlet = outlet_to(here, then=log.fileno())
        outlet.write("first\n")
        outlet.write("second\n")
        outlet.finish()
        assert (tmp_path / "log").read_text() == "first\nsecond\n"
        assert not outlet.reaches_its_reader


def test_without_another_place_it_is_left_out_until_there_is_one(outlet_to: MakeOutlet, tmp_path: Path):
    there, here = os.pipe()
    os.close(there)
    outlet = outlet_to(here)
    outlet.write("first\n")
    wait_for(lambda: not outlet.behind)
    with (tmp_path / "log").open("w") as log:
        outlet.move_to(log.fileno())
    outlet.write("second\n")
    outlet.finish()
    assert (tmp_path / "log").read_text() == "second\n"


def test_a_full_disk_costs_lines_and_takes_the_next_ones_once_there_is_room(outlet_to: MakeOutlet, tmp_path: Path):
    outlet = outlet_to(os.open("/dev/full", os.O_WRONLY))
    outlet.write("lost\n")
    wait_for(lambda: not outlet.behind)
    assert outlet.reaches_its_reader
    with (tmp_path / "room").open("w") as room:
        os.dup2(room.fileno(), outlet.fileno())
    outlet.write("kept\n")
    outlet.finish()
    assert (tmp_path / "room").read_text() == "kept\n"


def test_a_reader_who_stands_still_holds_nothing_up_and_misses_nothing_when_he_goes_on(outlet_to: MakeOutlet):
    there, here = os.pipe()
    outlet = outlet_to(here)
    lines = [f"{number:09d}\n" for number in range(20_000)]  # more than a pipe holds
    for line in lines:
        outlet.write(line)
    assert outlet.behind
    expected, found = "".join(lines).encode(), b""
    while len(found) < len(expected):
        found += os.read(there, 100_000)
    assert found == expected
    wait_for(lambda: not outlet.behind)
    os.close(there)


def test_what_waits_for_him_is_limited(outlet_to: MakeOutlet):
    there, here = os.pipe()
    outlet = outlet_to(here)
    for _ in range(12):
        outlet.write("x" * (BACKLOG_CHARACTERS // 4))
    os.set_blocking(there, False)
    found = 0

    def all_is_read() -> bool:
        nonlocal found
        with suppress(BlockingIOError):
            found += len(os.read(there, 10_000_000))
        return not outlet.behind

    wait_for(all_is_read)
    assert BACKLOG_CHARACTERS <= found + 65_536 < 2 * BACKLOG_CHARACTERS
    os.close(there)


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("utf-8", "가 é … ·"), ("latin-1", "\\uac00 é ~ ·"), ("ascii", "\\uac00 \\xe9 ~ |"), ("euc-kr", "가 \\xe9 … ·")],
)
def test_characters_that_an_encoding_lacks_are_written_out(
    outlet_to: MakeOutlet, tmp_path: Path, encoding: str, written: str
):
    for name in ("stream", "outlet"):
        path = tmp_path / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        if name == "outlet":
            outlet = outlet_to(descriptor, encoding=encoding)
            outlet.write("가 é … ·")
            outlet.finish()
        else:
            with os.fdopen(descriptor, "w", encoding=encoding) as stream:
                lose_no_character(stream)
                stream.write("가 é … ·")
        assert path.read_bytes().decode(encoding) == written
