"""Every command that is printed is one that the program takes, for the same home, file, --set and name."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer

from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.preflight import Start, check_before_start
from orchestrator.study_file.study_spec import load_study
from orchestrator.trial import Objective, Outcome, Report, State, Status, Trial
from orchestrator.typed_command import FLAGS, OPTIONS, TypedCommand
from tests.harness.command import commands_in, parsed
from tests.harness.folders import REPOSITORY
from tests.tune.conftest import Typed
from tune.command import app
from tune.outcome import show_outcome
from tune.study_report import next_step

TRIALS = [
    Trial(1, {"lr": 0.1}, State.COMPLETED, reports=(Report(1, {"val/score": 0.5}, 1.0, 1000.0),)),
    Trial(2, {"lr": 0.2}, State.FAILED, "exception: boom"),
]


def options_of(verb: str) -> list[Any]:
    parameters = typer.main.get_command(app).commands[verb].params
    return [each for each in parameters if each.param_type_name == "option" and each.name != "help"]


@pytest.mark.parametrize("verb", OPTIONS)
def test_the_options_of_a_verb_are_those_that_the_command_has(verb: str):
    options = options_of(verb)
    assert {option.opts[0] for option in options} == set(OPTIONS[verb])
    assert {option.opts[0] for option in options if option.is_flag} == set(FLAGS) & set(OPTIONS[verb])


@pytest.mark.parametrize("verb", OPTIONS)
def test_what_follows_a_command_with_any_option_is_taken(verb: str):
    values = {"--trials": "+3", "--hours": "2", "--until": "07:00", "--set": "space.lr=1 2"}
    for option in options_of(verb):
        name = option.opts[0]
        words = (name,) if option.is_flag else (name, values.get(name, "a b"))
        this = TypedCommand.read(f"tune {verb} 'my file.yaml' --home 'my runs'").plus(*words)
        more = [this.more("s", 0)] if verb != "check" else []
        for follows in (this, this.go_on(), *more, *(this.as_verb(other) for other in OPTIONS)):
            known, params = parsed(str(follows))
            assert known == follows.verb
            assert (params["home_folder"], params.get("space", params.get("config"))) == (
                Path("a b" if name == "--home" else "my runs"),
                Path("my file.yaml"),
            )
            if name == "--set":
                assert params["changes"][0] == "space.lr=1 2"


def ended(home: Home, status: str, reason: str | None, typed: str) -> StudyRow:
    ledger = Ledger(home.ledger)
    made = ledger.create_study(
        "s", {"study": "s", "trainable": "tests.toy"}, Objective("val/score", "max"), {"command": typed}
    )
    ledger.update_study(made.id, status=status, reason=reason)
    return ledger.study("s")


@pytest.mark.parametrize("typed", ["tune run 's 1.yaml' --set data.root=d", "tune train best.yaml --set data.root=d"])
@pytest.mark.parametrize("started", [0, 2])
@pytest.mark.parametrize("reason", [None, "why"])
@pytest.mark.parametrize("status", Status)
def test_the_last_lines_of_a_run_are_taken_for_its_home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: str, started: int, reason: str | None, status: Status
):
    if status is Status.RUNNING:
        status = Status.FINISHED
        typed += " --smoke --name n --fresh" if typed.startswith("tune run") else " --name n --fresh"
    home = Home.at(tmp_path / "my runs")
    typed += f" --home '{home.path}'"
    row = ended(home, status.value, reason, typed)
    advised = partial(next_step, home, Ledger(home.ledger), row)
    show_outcome(row, TRIALS, Outcome(status, started, "s"), tmp_path, home, typed, advised)
    commands = commands_in(capsys.readouterr().out)
    assert commands, "nothing is proposed"
    for command in commands:
        verb, params = parsed(command)
        assert params["home_folder"] == home.path, command
        if verb in ("run", "check") or (verb == "train" and typed.startswith("tune train")):
            assert params["changes"][0] == "data.root=d", command


def test_a_study_is_named_with_its_home_wherever_it_may_be_looked_at(
    typed: Typed, toy_study: Callable[..., Path], tmp_path: Path
):
    home = Home.at(tmp_path / "my runs")
    ledger = Ledger(home.ledger)
    spec = load_study(toy_study())
    row = ledger.create_study("toy", spec.raw, spec.objective.objective, {})
    ledger.add_trial(row.id, {"lr": 0.1})
    ledger.finish(row.id, 1, State.FAILED, "exception: boom", "Traceback")
    options = ("--home", home.path)
    said = [typed(*words, *options) for words in (["show", "toy"], ["show", "toy", "--trial", "9"], ["best", "toy"])]
    said += [typed("show", "tyo", *options), typed("predict", "toy", toy_study(), *options)]
    for answer in said:
        [*commands] = commands_in(answer.out + answer.err)
        assert [parsed(each)[1]["home_folder"] for each in commands] == [home.path], answer
    ledger.record(
        ledger.study("toy").id, ledger.add_trial(row.id, {"lr": 0.2}).number, Report(1, {"val/score": 1.0}, 1.0, 9.0)
    )
    best = typed("best", "toy", "--output", tmp_path / "a best.yaml", *options)
    assert best.code == 0
    [train] = commands_in((tmp_path / "a best.yaml").read_text())
    assert parsed(train)[1] | {"changes": []} == parsed(train)[1]
    assert (parsed(train)[1]["config"], parsed(train)[1]["home_folder"]) == (tmp_path / "a best.yaml", home.path)


def test_check_and_run_propose_each_other_as_they_were_typed(typed: Typed, toy_study: Callable[..., Path]):
    file, change = toy_study(), ("--set", "budget.trials=3")
    [run] = commands_in(typed("check", file, *change).out)
    assert parsed(run) == parsed(f"tune run {file} --set budget.trials=3")
    broken = ("--set", "data.broken=true")
    [check] = commands_in(typed("run", file, *broken, "--name", "n", "--trials", "3").err)
    assert parsed(check) == parsed(f"tune check {file} --set data.broken=true --name n")
    [run] = commands_in(typed("train", file, *change, "--fresh").err)
    assert parsed(run) == parsed(f"tune run {file} --set budget.trials=3 --fresh")


def test_a_check_that_no_command_asked_for_proposes_one(home: Path, toy_study: Callable[..., Path]):
    file = toy_study(data={"broken": True})
    with pytest.raises(ValueError) as refused:
        check_before_start(Start(load_study(file), Home.at(home), str(file)), skip=False, say=lambda line: None)
    assert [parsed(each)[0] for each in commands_in(str(refused.value))] == ["check"]


def test_no_text_of_ours_gives_one_set_two_values():
    texts = [*REPOSITORY.glob("search_spaces/*.yaml"), *REPOSITORY.glob("**/*.md")]
    pattern = r"--set \S+=\S+ [a-z_]+\.[a-z_.]+=\S+"
    assert [file.name for file in texts if ".venv" not in file.parts and re.search(pattern, file.read_text())] == []
