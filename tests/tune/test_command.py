"""The command: what it prints, and the exit codes that scripts rely on. No Ray is started here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orchestrator.ledger import Ledger
from orchestrator.study_file.study_spec import parse_study
from orchestrator.trial import Report, State
from tests.tune.conftest import Typed


@pytest.fixture
def ended_study(home: Path) -> Ledger:
    ledger = Ledger(home / "ledger.db")
    add_ended(ledger, "toy")
    return ledger


def add_ended(ledger: Ledger, name: str) -> None:
    """Adds a study of three trials: completed, pruned, failed."""
    spec = parse_study(
        {
            "study": name,
            "trainable": "tests.toy",
            "objective": {"metric": "val/score", "mode": "max"},
            "space": {"lr": {"low": 1e-4, "high": 1.0, "log": True}, "epochs": 3},
        },
        "toy.yaml",
    )
    row = ledger.create_study(name, spec.raw, spec.objective.objective, {})
    ledger.acquire(row.id, os.getpid(), "here")
    for number, (values, state) in enumerate(
        [([0.3, 0.5, 0.45], State.COMPLETED), ([0.2], State.PRUNED), ([0.1], State.FAILED)], start=1
    ):
        ledger.add_trial(row.id, {"lr": 0.1 / number, "epochs": 3})
        for epoch, value in enumerate(values, start=1):
            ledger.record(row.id, number, Report(epoch, {"val/score": value}, 1.5, 1000.0 + epoch))
        error = "Traceback: boom" if state is State.FAILED else None
        ledger.finish(row.id, number, state, "exception: boom" if error else None, error)
    ledger.release(row.id, "finished")


def test_show_json_keeps_its_promise(typed: Typed, ended_study: Ledger):
    shown = json.loads(typed("show", "toy", "--json", "--history").out)
    assert shown["study"] == "toy"
    assert shown["status"] == "finished"
    assert shown["objective"] == {"metric": "val/score", "mode": "max"}
    first, second, third = shown["trials"]
    assert (first["number"], first["state"], first["value"], first["best_epoch"], first["epochs"]) == (
        1,
        "completed",
        0.5,
        2,
        3,
    )
    assert first["reports"] == [
        {"epoch": 1, "epoch_seconds": 1.5, "val/score": 0.3},
        {"epoch": 2, "epoch_seconds": 1.5, "val/score": 0.5},
        {"epoch": 3, "epoch_seconds": 1.5, "val/score": 0.45},
    ]
    assert first["seconds"] == 4.5
    assert second["state"] == "pruned"
    assert (third["state"], third["reason"]) == ("failed", "exception: boom")
    assert (shown["best"]["number"], shown["best"]["value"], shown["best"]["epoch"]) == (1, 0.5, 2)
    assert "reports" not in json.loads(typed("show", "toy", "--json").out)["trials"][0]


def test_show_prints_best_and_failures_with_their_reason(typed: Typed, ended_study: Ledger):
    out = typed("show", "toy").out
    assert "best: val/score 0.5000 by trial 1 at epoch 2" in out
    assert "trial 3 failed: exception: boom" in out
    assert "Traceback: boom" in typed("show", "toy", "--trial", "3").out


def test_best_prints_a_file_that_train_accepts(typed: Typed, ended_study: Ledger, tmp_path: Path):
    from orchestrator.study_file.study_spec import load_study

    path = tmp_path / "best.yaml"
    assert typed("best", "toy", "--output", str(path)).out.strip() == str(path)
    spec = load_study(path)
    assert spec.space.searched == []
    assert spec.space.fixed == {"lr": 0.1, "epochs": 3}
    assert spec.source is not None and (spec.source.study, spec.source.trial) == ("toy", 1)


def test_several_studies_side_by_side_leave_the_page_of_each_alone(typed: Typed, ended_study: Ledger, home: Path):
    add_ended(ended_study, "other")
    assert typed("report", "toy").out.strip() == str(home / "toy" / "report" / "report.html")
    own = (home / "toy" / "report" / "report.md").read_text()
    assert typed("report", "toy", "other").out.strip() == str(home / "toy" / "side-by-side" / "report.html")
    assert (home / "toy" / "side-by-side" / "report.md").read_text().startswith("# 2 studies side by side")
    assert (home / "toy" / "report" / "report.md").read_text() == own


def test_list_names_the_studies(typed: Typed, ended_study: Ledger):
    out = typed("list").out
    assert "toy" in out and "finished" in out and "0.5000" in out


def test_an_unknown_study_is_the_users_mistake_and_the_known_ones_are_named(typed: Typed, ended_study: Ledger):
    for verb in ("show", "best", "report", "sync"):
        ended = typed(verb, "tyo")
        assert ended.code == 2, verb
        assert ended.err == "No study named 'tyo'. Known studies: toy. Try `tune list`.\n"


@pytest.mark.parametrize("verb", [["list"], ["show", "toy"], ["best", "toy"], ["report", "toy"], ["sync"], ["ui"]])
def test_a_home_without_a_ledger_is_the_users_mistake_and_stays_empty(typed: Typed, home: Path, verb: list[str]):
    ended = typed(*verb)
    assert ended.code == 2
    assert "begin with `tune run SPACE.yaml`" in ended.err
    assert "Traceback" not in ended.err
    assert list(home.iterdir()) == []


def test_every_mistake_of_a_file_is_printed_and_nothing_is_created(
    typed: Typed, home: Path, toy_study: Callable[..., Path]
):
    file = toy_study(space={"lr": {"low": 1, "high": 0.1}, "epoch": 3}, objective={"metric": "val/score", "mode": "up"})
    ended = typed("run", str(file))
    assert ended.code == 2
    lines = ended.err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(str(file)) for line in lines)
    assert any("space.lr" in line and "low <= high" in line for line in lines)
    assert any("did you mean `epochs`?" in line for line in lines)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trials", "many"], "--trials: must be a whole number N, or +N for N more, but got 'many'"),
        (["--trials", "-3"], "--trials"),
        (["--until", "25:00"], "--until: must be a time of day such as 07:00, or a moment such as"),
        (["--hours", "-1"], "--hours"),
        (["--set", "space.lr"], "--set"),
    ],
)
def test_a_wrong_option_is_the_users_mistake(
    typed: Typed, home: Path, toy_study: Callable[..., Path], options: list[str], message: str
):
    ended = typed("run", str(toy_study()), *options)
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert list(home.iterdir()) == []


def test_a_home_that_is_a_file_is_said_and_stays_as_it_is(
    typed: Typed, home: Path, toy_study: Callable[..., Path], tmp_path: Path
):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    for words in (["list"], ["run", str(toy_study())]):
        for place in (file, file / "below"):
            ended = typed(*words, "--home", str(place))
            assert ended.code == 2
            must = f"--home: must be a folder, but {file} is none; name another with --home or NIGHTSWEEP_HOME"
            assert ended.err == f"{must}\n"
    assert file.read_text() == "mine" and list(home.iterdir()) == []


def test_a_file_that_searches_cannot_be_trained(typed: Typed, home: Path, toy_study: Callable[..., Path]):
    file = toy_study()
    ended = typed("train", str(file))
    assert ended.code == 2
    assert f"space.lr: must be one value, but is searched; use `tune run {file}`" in ended.err


def test_check_finds_what_the_trainable_finds(typed: Typed, home: Path, toy_study: Callable[..., Path]):
    good = typed("check", str(toy_study()))
    assert good.code == 0
    assert "ok" in good.out and "settings: lr 0.01 tends to" in good.out
    bad = typed("check", str(toy_study(data={"broken": True})))
    assert bad.code == 2
    assert "problem  settings: data.broken must be false" in bad.out
    assert bad.out.endswith("mend what is named above, or take it as it is: --set 'data.accept=[settings]'\n")
    taken = typed("check", str(toy_study(data={"broken": True, "accept": ["settings"]})))
    assert taken.code == 0
    assert "note     settings: accepted as settings: data.broken must be false" in taken.out
    assert "ok       one report: with lr" in taken.out
    assert not (home / "ledger.db").exists()


@pytest.mark.parametrize("verb", ["run", "train"])
def test_a_study_whose_check_finds_a_problem_is_not_begun(
    typed: Typed, home: Path, toy_study: Callable[..., Path], verb: str
):
    file = toy_study(data={"broken": True}, space={"lr": 0.1})
    ended = typed(verb, str(file))
    assert ended.code == 2
    begins, first, *_, problem, last = ended.out.splitlines()
    assert begins.startswith("toy: up to ")
    assert first.startswith("toy: study file: ") and problem == "toy: settings: something is wrong"
    assert last == "toy: looked at study file, machine, ledger, settings: something is wrong"
    assert ended.err.splitlines() == [
        f"{file}: settings: data.broken must be false, but got true; remove it",
        f"{file}: no trial was started; see tune check {file}, or take it as it is: --set 'data.accept=[settings]'",
    ]
    assert not (home / "ledger.db").exists()


def test_a_study_whose_objective_changed_is_not_gone_on_with(
    typed: Typed, ended_study: Ledger, toy_study: Callable[..., Path]
):
    ended = typed("run", str(toy_study(space={"epochs": 3}, objective={"metric": "train/loss", "mode": "min"})))
    assert ended.code == 2
    assert "objective: must be what study 'toy' was begun with" in ended.err
    assert "--fresh" in ended.err
    looked = typed("check", str(toy_study(space={"epochs": 2}, objective={"metric": "train/loss", "mode": "min"})))
    assert looked.code == 2  # it says what the start would say
    assert "problem  ledger: objective: must be what study 'toy' was begun with" in looked.out
    assert "problem  ledger: space.epochs: must be at least 3" in looked.out


def test_help_of_every_verb_shows_an_example(typed: Typed):
    import tune as command

    verbs = [registered.name or registered.callback.__name__ for registered in command.app.registered_commands]
    assert {"run", "check", "list", "show", "report", "best", "train", "sync", "ui", "doctor"} <= set(verbs)
    for verb in verbs:
        ended = typed(verb, "--help")
        assert ended.code == 0
        assert f"Example: tune {verb}" in ended.out


def test_a_hostile_name_cannot_leave_the_home(typed: Typed, home: Path, toy_study: Callable[..., Path]):
    file = toy_study()
    for name in ("../outside", "/etc/x", "..", "a/b"):
        ended = typed("run", str(file), "--name", name)
        assert ended.code == 2
        assert ended.err.startswith("--name: study: must be a name")
    assert yaml.safe_load(file.read_text())["study"] == "toy"
    assert list(home.iterdir()) == []


def test_a_cluster_that_does_not_answer_is_named_at_once_and_binds_the_study_to_nothing(
    typed: Typed, toy_study: Callable[..., Path]
):
    for lr, options in ((0.1, []), (0.2, ["--skip-preflight"])):  # no trial hangs on the first space
        file = toy_study(space={"lr": lr}, data={"broken": bool(options)})
        ended = typed("run", str(file), "--address", "127.0.0.1:9", *options)
        assert ended.code == 1
        assert ended.err.startswith("--address: a Ray cluster must listen at 127.0.0.1:9, but: ")
        assert "Traceback" not in ended.err
    assert ended.out.splitlines()[1].startswith("toy: not checked: labels that do not fit their images")


def test_a_machine_that_cannot_hold_one_trial_is_named_before_anything_is_created(
    typed: Typed, home: Path, toy_study: Callable[..., Path]
):
    both = str(toy_study(resources={"gpu": 64, "cpu": 4096}))
    ended = typed("run", both)
    assert ended.code == 2
    assert [line.split(": must")[0] for line in ended.err.splitlines()] == [
        f"{both}: resources.gpu",
        f"{both}: resources.cpu",
    ]
    assert list(home.iterdir()) == []
    looked = typed("check", both)
    assert looked.code == 2
    assert "problem  machine: resources.cpu: must be at most the" in looked.out
    assert "problem  machine: resources.gpu: must be at most the" in looked.out


def test_data_that_are_not_there_are_named_before_anything_is_created(typed: Typed, home: Path, repository: Path):
    ended = typed("run", "search_spaces/pages.yaml", "--set", "data.root=/nowhere")
    assert ended.code == 2
    assert ended.err.startswith("search_spaces/pages.yaml: data.root: must be a folder that holds annotations.json")
    assert "Traceback" not in ended.err
    assert list(home.iterdir()) == []
