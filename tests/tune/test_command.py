"""The command: what it prints, and the exit codes that scripts rely on. No Ray is started here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orchestrator.ledger import Ledger
from orchestrator.study_file.study_spec import parse_study
from orchestrator.trial import Report, State

Tune = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tune(home: Path, repository: Path) -> Tune:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tune", *arguments],
            cwd=repository,
            env=os.environ | {"NIGHTSWEEP_HOME": str(home)} | environment,
            capture_output=True,
            text=True,
        )

    return run


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


def test_show_json_keeps_its_promise(tune: Tune, ended_study: Ledger):
    shown = json.loads(tune("show", "toy", "--json", "--history").stdout)
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
    assert "reports" not in json.loads(tune("show", "toy", "--json").stdout)["trials"][0]


def test_show_prints_best_and_failures_with_their_reason(tune: Tune, ended_study: Ledger):
    out = tune("show", "toy").stdout
    assert "best: val/score 0.5000 by trial 1 at epoch 2" in out
    assert "trial 3 failed: exception: boom" in out
    assert "Traceback: boom" in tune("show", "toy", "--trial", "3").stdout


def test_best_prints_a_file_that_train_accepts(tune: Tune, ended_study: Ledger, tmp_path: Path):
    from orchestrator.study_file.study_spec import load_study

    path = tmp_path / "best.yaml"
    assert tune("best", "toy", "--output", str(path)).stdout.strip() == str(path)
    spec = load_study(path)
    assert spec.space.searched == []
    assert spec.space.fixed == {"lr": 0.1, "epochs": 3}
    assert spec.source is not None and (spec.source.study, spec.source.trial) == ("toy", 1)


def test_several_studies_side_by_side_leave_the_page_of_each_alone(tune: Tune, ended_study: Ledger, home: Path):
    add_ended(ended_study, "other")
    assert tune("report", "toy").stdout.strip() == str(home / "toy" / "report" / "report.html")
    own = (home / "toy" / "report" / "report.md").read_text()
    assert tune("report", "toy", "other").stdout.strip() == str(home / "toy" / "side-by-side" / "report.html")
    assert (home / "toy" / "side-by-side" / "report.md").read_text().startswith("# 2 studies side by side")
    assert (home / "toy" / "report" / "report.md").read_text() == own


def test_list_names_the_studies(tune: Tune, ended_study: Ledger):
    out = tune("list").stdout
    assert "toy" in out and "finished" in out and "0.5000" in out


def test_an_unknown_study_is_the_users_mistake_and_the_known_ones_are_named(tune: Tune, ended_study: Ledger):
    for verb in ("show", "best", "report", "sync"):
        ended = tune(verb, "tyo")
        assert ended.returncode == 2, verb
        assert ended.stderr == "No study named 'tyo'. Known studies: toy. Try `tune list`.\n"


@pytest.mark.parametrize("verb", [["list"], ["show", "toy"], ["best", "toy"], ["report", "toy"], ["sync"], ["ui"]])
def test_a_home_without_a_ledger_is_the_users_mistake_and_stays_empty(tune: Tune, home: Path, verb: list[str]):
    ended = tune(*verb)
    assert ended.returncode == 2
    assert "begin with `tune run SPACE.yaml`" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(home.iterdir()) == []


def test_every_mistake_of_a_file_is_printed_and_nothing_is_created(
    tune: Tune, home: Path, toy_study: Callable[..., Path]
):
    file = toy_study(space={"lr": {"low": 1, "high": 0.1}, "epoch": 3}, objective={"metric": "val/score", "mode": "up"})
    ended = tune("run", str(file))
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
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
        (["--until", "25:00"], "--until: must be a time of day such as 07:00, but got '25:00'"),
        (["--hours", "-1"], "--hours"),
        (["--set", "space.lr"], "--set"),
    ],
)
def test_a_wrong_option_is_the_users_mistake(
    tune: Tune, home: Path, toy_study: Callable[..., Path], options: list[str], message: str
):
    ended = tune("run", str(toy_study()), *options)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(home.iterdir()) == []


def test_a_file_that_searches_cannot_be_trained(tune: Tune, home: Path, toy_study: Callable[..., Path]):
    ended = tune("train", str(toy_study()))
    assert ended.returncode == 2
    assert "space.lr: must be one value, but is searched; use `tune run`" in ended.stderr


def test_check_finds_what_the_trainable_finds(tune: Tune, home: Path, toy_study: Callable[..., Path]):
    good = tune("check", str(toy_study()))
    assert good.returncode == 0
    assert "ok" in good.stdout and "settings: lr 0.01 tends to" in good.stdout
    bad = tune("check", str(toy_study(data={"broken": True})))
    assert bad.returncode == 2
    assert "problem  settings: data.broken must be false" in bad.stdout
    assert not (home / "ledger.db").exists()


@pytest.mark.parametrize("verb", ["run", "train"])
def test_a_study_whose_check_finds_a_problem_is_not_begun(
    tune: Tune, home: Path, toy_study: Callable[..., Path], verb: str
):
    file = toy_study(data={"broken": True}, space={"lr": 0.1})
    ended = tune(verb, str(file))
    assert ended.returncode == 2
    assert ended.stdout == "toy: looked at study file, settings: something is wrong\n"
    assert ended.stderr.splitlines() == [
        f"{file}: settings: data.broken must be false, but got true; remove it",
        f"{file}: no trial was started; see tune check {file}, or start all the same with --skip-preflight",
    ]
    assert not (home / "ledger.db").exists()


def test_skipping_the_check_says_what_is_risked(tune: Tune, toy_study: Callable[..., Path]):
    ended = tune("run", str(toy_study(data={"broken": True})), "--skip-preflight", "--address", "127.0.0.1:9")
    assert ended.returncode == 1  # as far as the cluster that is not there
    assert ended.stdout.startswith("toy: not checked: labels that do not fit their images")


def test_a_study_whose_objective_changed_is_not_gone_on_with(
    tune: Tune, ended_study: Ledger, toy_study: Callable[..., Path]
):
    ended = tune("run", str(toy_study(space={"epochs": 3}, objective={"metric": "train/loss", "mode": "min"})))
    assert ended.returncode == 2
    assert "objective: must be what study 'toy' was begun with" in ended.stderr
    assert "--fresh" in ended.stderr


def test_help_of_every_verb_shows_an_example(tune: Tune):
    import tune as command

    verbs = [registered.name or registered.callback.__name__ for registered in command.app.registered_commands]
    assert {"run", "check", "list", "show", "report", "best", "train", "sync", "ui", "doctor"} <= set(verbs)
    for verb in verbs:
        ended = tune(verb, "--help")
        assert ended.returncode == 0
        assert f"Example: tune {verb}" in ended.stdout


def test_a_hostile_name_cannot_leave_the_home(tune: Tune, home: Path, toy_study: Callable[..., Path]):
    file = toy_study()
    for name in ("../outside", "/etc/x", "..", "a/b"):
        ended = tune("run", str(file), "--name", name)
        assert ended.returncode == 2
        assert ended.stderr.startswith("--name: study: must be a name")
    assert yaml.safe_load(file.read_text())["study"] == "toy"
    assert list(home.iterdir()) == []


def test_a_cluster_that_does_not_answer_is_named_at_once_and_binds_the_study_to_nothing(
    tune: Tune, toy_study: Callable[..., Path]
):
    for lr in (0.1, 0.2):  # another space the second time: no trial hangs on the first
        ended = tune("run", str(toy_study(space={"lr": lr})), "--address", "127.0.0.1:9")
        assert ended.returncode == 1
        assert ended.stderr.startswith("--address: a Ray cluster must listen at 127.0.0.1:9, but: ")
        assert "Traceback" not in ended.stderr


def test_a_machine_that_cannot_hold_one_trial_is_named_before_anything_is_created(
    tune: Tune, home: Path, toy_study: Callable[..., Path]
):
    ended = tune("run", str(toy_study(resources={"gpu": 0, "cpu": 4096})))
    assert ended.returncode == 2
    assert "resources.cpu: must be at most the" in ended.stderr
    assert list(home.iterdir()) == []


def test_data_that_are_not_there_are_named_before_anything_is_created(tune: Tune, home: Path, repository: Path):
    ended = tune("run", "search_spaces/pages.yaml", "--set", "data.root=/nowhere")
    assert ended.returncode == 2
    assert ended.stderr.startswith("search_spaces/pages.yaml: data.root: must be a folder that holds annotations.json")
    assert "Traceback" not in ended.stderr
    assert list(home.iterdir()) == []
