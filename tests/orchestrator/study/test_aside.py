"""A study is moved aside whole, whenever the process that moves it is killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import NightsweepError
from orchestrator.home import Home
from orchestrator.ledger import Ledger
from orchestrator.study.aside import finish_moving, move_aside
from orchestrator.trial import Objective


class Killed(BaseException):
    """The process was killed."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A study with a folder that holds its trials."""
    home = Home.at(tmp_path)
    begin(home)
    return home


def begin(home: Home, text: str = "old") -> None:
    Ledger(home.ledger).create_study("toy", {"study": "toy"}, Objective("val/score", "max"), {"text": text})
    (home.study("toy") / "trials").mkdir(parents=True)
    (home.study("toy") / "trials" / "log.txt").write_text(text)


def names(home: Home) -> list[str]:
    return [row.name for row in Ledger(home.ledger).studies()]


def kept(home: Home, name: str) -> str:
    return (home.study(name) / "trials" / "log.txt").read_text()


def test_a_study_moved_aside_keeps_its_folder_under_a_name_that_is_free(home: Home):
    home.study("toy.1").mkdir()
    (home.study("toy.1") / "somebody's").touch()
    assert move_aside(home, "toy") == "toy.2"
    assert names(home) == ["toy.2"] and kept(home, "toy.2") == "old"
    assert [path.name for path in home.study("toy.2").iterdir()] == ["trials"] and not home.study("toy").exists()
    assert move_aside(home, "toy") is None and finish_moving(home, "toy") is None


STEPS: list[tuple[type, str]] = [
    (Path, "write_text"),
    (Ledger, "rename_study"),
    (Path, "rename"),
    (Path, "unlink"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("owner, step", STEPS, ids=[step for _, step in STEPS])
def test_killed_at_any_step_the_next_fresh_start_finds_the_old_study_whole(
    home: Home, monkeypatch: pytest.MonkeyPatch, owner: type, step: str, after: bool
):
    act: Callable[..., Any] = getattr(owner, step)

    def die(*arguments: Any, **named: Any) -> None:
        if after:
            act(*arguments, **named)
        raise Killed

    monkeypatch.setattr(owner, step, die)
    with pytest.raises(Killed):
        move_aside(home, "toy")
    monkeypatch.undo()
    moved = finish_moving(home, "toy")
    moved = move_aside(home, "toy") or moved or "toy.1"
    assert names(home) == [moved] and kept(home, moved) == "old"
    assert not home.study("toy").exists()
    begin(home, "new")
    assert move_aside(home, "toy") == "toy.2"
    assert (kept(home, "toy.1"), kept(home, "toy.2")) == ("old", "new")


def test_a_plain_start_after_that_goes_on_with_the_study_where_the_ledger_still_has_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    def die(*arguments: Any) -> None:
        raise Killed

    monkeypatch.setattr(Ledger, "rename_study", die)
    with pytest.raises(Killed):
        move_aside(home, "toy")
    monkeypatch.undo()
    assert finish_moving(home, "toy") is None
    assert names(home) == ["toy"] and kept(home, "toy") == "old"


def test_a_folder_that_cannot_be_moved_is_named_with_what_to_do(home: Home, monkeypatch: pytest.MonkeyPatch):
    def refuse(*arguments: Any) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(NightsweepError, match=r"must be moved to toy\.1, .* but: Device or resource busy; move it"):
        move_aside(home, "toy")
