"""The commands that are printed to be typed next keep the home, the file, --set and the name of what was typed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.home import Home
from orchestrator.typed_command import TypedCommand, command, typed

LONG = TypedCommand.read(
    "tune run s.yaml --set 'data.root=my crops' --name n --trials 8 --until=07:00 --fresh --home h"
)


@pytest.mark.parametrize(
    ("proposal", "said"),
    [
        (LONG.go_on(), "tune run s.yaml --set 'data.root=my crops' --name n --trials 8 --home h"),
        (LONG.more("n", 0), "tune run s.yaml --set 'data.root=my crops' --name n --home h --trials +4"),
        (LONG.as_verb("check"), "tune check s.yaml --set 'data.root=my crops' --name n --home h"),
        (LONG.as_verb("check").as_verb("run"), "tune run s.yaml --set 'data.root=my crops' --name n --home h"),
        (TypedCommand.read("tune run --smoke s.yaml --skip-preflight").as_verb("check"), "tune check s.yaml"),
        (TypedCommand.read("tune run s.yaml --name").go_on(), "tune run s.yaml --name"),
        (TypedCommand.read("tune run --fresh -- -odd.yaml").more("odd", 0), "tune run --trials +4 -- -odd.yaml"),
    ],
)
def test_what_was_typed_is_kept_but_for_what_would_not_go_on(proposal: TypedCommand, said: str):
    assert str(proposal) == said


def test_one_config_is_trained_once_more_with_another_seed():
    trained = TypedCommand.read("tune train best.yaml --home h --set search.seed=3 --name mine --fresh")
    assert str(trained.more("mine", 3)) == "tune train best.yaml --home h --set search.seed=4 --name mine-seed4"


def test_the_command_that_runs_is_known_by_either_of_its_names(monkeypatch: pytest.MonkeyPatch):
    for name, said in (("/venv/bin/nightsweep", "nightsweep"), ("/x/tune/__main__.py", "tune"), ("/x/tune", "tune")):
        monkeypatch.setattr(sys, "argv", [name, "run", "s.yaml", "--ledger", "postgresql://me:word@host/runs"])
        assert str(typed()) == f"{said} run s.yaml --ledger 'postgresql://me:***@host/runs'"
        assert typed().argument == "s.yaml"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pytest", "run", "s.yaml"])
    assert typed().argument is None


def test_a_command_names_the_home_and_the_ledger_that_it_would_not_find_by_itself(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "argv", ["tune"])
    monkeypatch.chdir(tmp_path)
    server = "postgresql://me@host/runs"
    assert command(Home.at(home), "show", "toy") == "tune show toy"  # as NIGHTSWEEP_HOME has it
    assert command(Home.at("my runs"), "show", "toy") == "tune show toy --home 'my runs'"
    assert command(Home.at(home, server), "list") == f"tune list --ledger {server}"
    assert Home.of_ledger(Path("other/ledger.db").absolute()).options == ("--home", "other")
    assert Home.of_ledger(server).options == ("--ledger", server)
    monkeypatch.setenv("NIGHTSWEEP_LEDGER", server)
    monkeypatch.delenv("NIGHTSWEEP_HOME")
    assert Home.at("runs", server).options == Home.of_ledger(server).options == ()
