"""What people type out of habit with other tools is answered by what does it here."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from orchestrator import tracking
from orchestrator.ledger import Ledger
from orchestrator.trial import Objective
from tests.harness.command import commands_in, parsed
from tests.tune.conftest import Typed
from tune import habits
from tune.command import VERBS, app, options_of


def answer(line: str) -> str | None:
    return habits.answer(line.split(), list(VERBS), options_of)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("status", "tune list"),
        ("status toy", "tune show toy"),
        ("ls", "tune list"),
        ("logs toy", "tune show toy --trial N"),
        ("logs toy 3 --home h", "tune show toy --trial 3 --home h"),
        ("rm --home h toy", "tune delete toy --home h"),
        ("status --json toy", "tune show toy"),
        (
            "status toy --ledger postgresql://me:word@host/runs",
            "tune show toy --ledger 'postgresql://me:***@host/runs'",
        ),
        ("export toy --home=h", "tune best toy --output best.yaml --home h"),
        ("resume s.yaml", "tune run s.yaml"),
        ("start 's.yaml'", "tune run s.yaml"),
        ("validate s.yaml", "tune check s.yaml"),
        ("compare a b", "tune report a b"),
        ("s.yaml --trials 3", "tune run s.yaml --trials 3"),
        ("restore toy --home h", "tune delete toy --restore --home h"),
        (
            "run s.yaml --dry-run --set a.b=1 --name x --fresh --home h",
            "tune check s.yaml --set a.b=1 --name x --home h",
        ),
    ],
)
def test_a_verb_of_another_tool_is_answered_with_the_command_that_does_it(line: str, command: str):
    said = answer(line.replace("'", "")) or ""
    assert commands_in(said)[-1 if line.startswith(("run", "s.yaml")) else 1] == command
    if "N" not in command.split():
        parsed(command)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run s.yaml -v", "-v: there is no more to print; what a trial prints: tune show STUDY --trial N"),
        ("show toy -v", "-v: there is no more to print; what a trial prints: tune show STUDY --trial N"),
        ("run s.yaml --n-trials=3", "--n-trials: type --trials N"),
        ("run s.yaml --resume", "--resume: every start is a resume; leave it out"),
        (
            "run s.yaml --set a.b=1 c.d=2",
            "--set takes one change; write it before each of them: --set c.d=2",
        ),
        (
            "run s.yaml lr=0.1 budget.trials=3 --home h",
            "A change of the study file needs --set. Type: --set space.lr=0.1 --set budget.trials=3   "
            "(space. before a name that is searched)",
        ),
        ("run s.yaml --set a.b=1 --fresh", None),
        ("run a=b.yaml --set a.b=1", None),
        ("run s.yaml --set a.b=1 other.yaml", None),
        ("best toy --force", None),
        ("run -- -v", None),
        ("rnu s.yaml", None),
    ],
)
def test_an_option_of_another_tool_is_answered_and_ours_are_left_alone(line: str, said: str | None):
    assert answer(line) == said


def test_every_answer_names_a_verb_that_there_is():
    for verb, command in habits._VERBS.items():
        assert verb not in VERBS or verb == "stop", verb
        assert command.split()[0] == "tune" and command.split()[1] in {*VERBS, "stop", "attach"}, command
    assert {command.split()[1] for command in habits._VERBS.values()} >= {"run", "show", "list", "delete", "check"}


def test_resuming_a_study_by_its_name_is_answered_with_the_command_that_began_it(typed: Typed, home: Path):
    facts = {"command": "tune run 'my file.yaml' --fresh --set a.b=1"}
    Ledger(home / "ledger.db").create_study("toy", {"study": "toy"}, Objective("m", "max"), facts)
    answered = typed("resume", "toy")
    assert answered.code == 2
    assert commands_in(answered.err)[1] == "tune run 'my file.yaml' --set a.b=1"


def test_the_version_the_help_and_the_completion_are_there(
    typed: Typed, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    for words in (["--version"], ["-V"], ["version"], ["-v"]):
        assert typed(*words).out.startswith("nightsweep 0."), words
    assert typed("help", "best").out == typed("best", "help").out == typed("best", "--help").out
    assert "Commands:" in typed("help").out
    Ledger(home / "ledger.db").create_study("toy", {"study": "toy"}, Objective("m", "max"), {})
    for typed_so_far, offered in (("tune sho", "show"), ("tune show t", "toy"), ("tune run f.yaml --smo", "--smoke")):
        monkeypatch.setenv("_TUNE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", typed_so_far)
        monkeypatch.setenv("COMP_CWORD", str(len(typed_so_far.split()) - 1))
        with pytest.raises(SystemExit):
            typer.main.get_command(app)(args=[], prog_name="tune")
        assert offered in capsys.readouterr().out.split(), typed_so_far


def test_a_deleted_study_lies_in_the_trash_until_it_is_brought_back(
    typed: Typed, home: Path, toy_study: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    told: list[str] = []
    monkeypatch.setattr(tracking, "forget", lambda row, uri: told.append(row.uid))
    ledger = Ledger(home / "ledger.db")
    row = ledger.create_study("toy", {"study": "toy", "trainable": "tests.toy"}, Objective("m", "max"), {"host": "h"})
    (home / "toy").mkdir()
    (home / "toy" / "run.log").write_text("a night\n")
    said = typed("delete", "toy")
    assert said.code == 0 and told == [row.uid]
    [moved] = (home / "trash").iterdir()
    assert (moved / "run.log").read_text() == "a night\n" and not (home / "toy").exists()
    assert typed("list").out == "" and "There is none yet" in typed("show", "toy").err
    assert typed("sync").code == 0 and told == [row.uid] * 2  # where MLflow was away
    ledger.create_study("toy", {"study": "toy"}, Objective("m", "max"), {})
    assert "must find its name free" in typed("delete", "toy", "--restore").err
    assert typed("delete", "toy").code == 0
    [back] = commands_in(said.out)
    assert parsed(back)[1]["undo"] is True
    assert typed("delete", moved.name, "--restore").code == 0
    assert (home / "toy" / "run.log").read_text() == "a night\n"
    assert (ledger.study("toy").uid, ledger.study("toy").facts) == (row.uid, {"host": "h"})
    assert "must be a study that was deleted" in typed("delete", "other", "--restore").err


def test_a_study_that_runs_is_not_deleted(typed: Typed, home: Path):
    ledger = Ledger(home / "ledger.db")
    row = ledger.create_study("toy", {"study": "toy", "trainable": "tests.toy"}, Objective("m", "max"), {})
    ledger.acquire(row.id, os.getppid(), socket.gethostname())
    assert typed("delete", "toy").code == 2
    assert ledger.study("toy").name == "toy" and not (home / "trash").exists()
    assert sys.argv[0] == "tune"
