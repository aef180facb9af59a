"""The next step: what is advised, what it costs, and whether the commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

import tune
from reports.numbers.advice import advice, original_command, reproduction, wider
from reports.numbers.comparison import compare
from reports.numbers.search_quality import slices
from tests.reports.few_trials import study, trial


def advised(view):
    comparison = compare(view)
    return advice(comparison, slices(comparison))


def assert_commands_exist(commands) -> None:
    group = typer.main.get_command(tune.app)
    for command in commands:
        program, verb, *words = shlex.split(command)
        assert program == "tune" and verb in group.commands, command
        options = {option for parameter in group.commands[verb].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, command


def test_a_finished_study_is_to_be_repeated_at_the_cost_of_its_seconds():
    trials = [trial(1, [0.5] * 4, baseline="by hand"), trial(2, [0.6] * 4, seconds=900.0)]
    found = advised(study(trials, resources={"gpu": 0.5}))
    assert found.what.key == "next.repeat_against"
    assert found.device_hours == pytest.approx(2 * 4 * 900 / 3600 * 0.5)
    assert found.commands == (
        "tune best made_up --output best.yaml",
        "tune train best.yaml --set search.seed=1 --name made_up-seed1",
        "tune train best.yaml --set search.seed=2 --name made_up-seed2",
        "tune report made_up made_up-seed1 made_up-seed2",
    )
    assert_commands_exist(found.commands)


def test_the_winners_own_seed_is_not_repeated():
    found = advised(study([trial(1, [0.5], seed=1), trial(2, [0.4], seed=1)]))
    assert [re.findall(r"seed=(\d)", command) for command in found.commands[1:3]] == [["0"], ["2"]]


def test_a_winner_that_was_cut_costs_a_whole_run_to_repeat():
    found = advised(study([trial(1, [0.9, 0.9], "pruned", seconds=360.0), trial(2, [0.1] * 10)]))
    assert found.device_hours == pytest.approx(2 * 10 * 360 / 3600)


def test_a_range_that_the_good_trials_lean_out_of_is_to_be_widened_first():
    values = {0.0011: 0.9, 0.002: 0.89, 0.003: 0.88} | {0.1 * n: 0.5 + 0.01 * n for n in range(1, 9)}
    trials = [trial(n, [v], config={"lr": lr}, seconds=360.0) for n, (lr, v) in enumerate(values.items(), start=1)]
    found = advised(study(trials))
    assert found.what.key == "next.widen_low"
    assert found.commands == ("tune run made_up.yaml --set space.lr.low=0.0001 --name made_up-wider",)
    assert found.device_hours == pytest.approx(1.1)
    assert_commands_exist(found.commands)


@pytest.mark.parametrize(
    ("domain", "low", "high"),
    [
        ({"low": 1e-4, "high": 1e-2, "log": True}, 1e-5, 1e-1),
        ({"low": 8, "high": 64, "log": True}, 1, 640),
        ({"low": 4, "high": 16, "log": False}, 0, 28),
        ({"low": 0.5, "high": 0.75, "log": False}, 0.25, 1.0),
        ({"low": -1.0, "high": 1.0, "log": False}, -3.0, 3.0),
    ],
)
def test_a_wider_bound_is_ten_times_or_a_width_away(domain, low, high):
    assert wider(domain, "low") == pytest.approx(low) or (low == 1 and wider(domain, "low") == 1)
    assert wider(domain, "high") == pytest.approx(high)


def test_an_interrupted_study_goes_on_by_the_command_that_began_it():
    trials = [trial(n, [0.5] * 4) for n in range(1, 5)] + [trial(5, [0.5], "paused")]
    found = advised(study(trials, status="interrupted", budget={"trials": 10}))
    assert found.what.key == "next.go_on"
    assert found.commands == ("tune run made_up.yaml",)
    assert found.device_hours == pytest.approx((6 * 400 - 100) / 3600)


def test_a_running_study_needs_nothing_typed_but_may_be_watched():
    found = advised(study([trial(1, [0.5], "running")], status="running"))
    assert found.what.key == "next.wait" and found.device_hours is None
    assert_commands_exist(found.commands)


def test_a_failed_study_is_mended_then_begun_anew():
    found = advised(study([trial(3, [], "failed", reason="x")], status="failed"))
    assert found.what.key == "next.mend"
    assert found.commands == (
        "tune show made_up --trial 3",
        "tune check made_up.yaml",
        "tune run made_up.yaml --fresh",
    )
    assert_commands_exist(found.commands)


def test_after_a_smoke_test_comes_the_study_itself():
    view = study([trial(1, [0.5])], name="made_up-smoke", facts={"command": "tune run made_up.yaml --smoke"})
    assert advised(view).commands == ("tune run made_up.yaml",)


def test_going_on_never_begins_afresh():
    view = study([], status="interrupted", facts={"command": "tune run x.yaml --fresh --hours 2"})
    assert advised(view).commands == ("tune run x.yaml --hours 2",)


def test_one_fixed_config_is_trained_again_from_its_own_file():
    found = advised(study([trial(1, [0.5])], searched={}, facts={"file": "best.yaml"}))
    assert found.commands[0] == "tune train best.yaml --set search.seed=1 --name made_up-seed1"


def test_commands_name_a_home_that_is_not_the_default_and_quote_what_a_shell_would_split(tmp_path):
    home = tmp_path / "my runs"
    view = study([trial(1, [0.5])], home=home, facts={"file": "my study.yaml"})
    assert original_command(view) == f"tune run 'my study.yaml' --home '{home}'"
    assert reproduction(view)[0] == f"tune best made_up --output best.yaml --home '{home}'"
    assert reproduction(study([], home=Path.cwd() / "runs2"))[1] == "tune train best.yaml --home runs2"
    assert_commands_exist(reproduction(view))
