"""The next step: what is advised, what it costs, and whether the commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

import tune
from reports.numbers.advice import advice, original_command, reproduction
from reports.numbers.comparison import compare
from reports.numbers.repeats import Repeat
from reports.numbers.search_quality import slices
from tests.harness.parsed_space import space_of
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


def test_a_changed_study_is_widened_with_the_changes_it_was_begun_with():
    values = {0.0011: 0.9, 0.002: 0.89, 0.003: 0.88} | {0.1 * n: 0.5 + 0.01 * n for n in range(1, 9)}
    trials = [trial(n, [v], config={"lr": lr}) for n, (lr, v) in enumerate(values.items(), start=1)]
    typed = "tune run made_up.yaml --set data.root='my data' --set=space.epochs=3 --trials 9 --until 07:00 --fresh"
    facts = {"file": "made_up.yaml", "command": typed}
    assert advised(study(trials, facts=facts)).commands == (
        "tune run made_up.yaml --set 'data.root=my data' --set space.epochs=3 --set space.lr.low=0.0001 "
        "--name made_up-wider",
    )
    assert original_command(study(trials, facts=facts)) == (
        "tune run made_up.yaml --set 'data.root=my data' --set space.epochs=3 --trials 9"
    )


LEANING = {0.0011: 0.9, 0.002: 0.89, 0.003: 0.88} | {0.1 * n: 0.5 + 0.01 * n for n in range(1, 9)}


@pytest.mark.parametrize(
    "change",
    [
        {"facts": {"file": "made_up.yaml", "bounds": {"lr": {"low": 0.001}}}},  # The trainable takes no smaller one.
        {"space": space_of({"lr": {"low": 0.001, "high": 1.0, "log": True}}, "lr >= 0.001")},
        {"names": frozenset({"made_up-wider"})},  # It was followed.
        {"baseline": "by hand"},  # No draw of the search lies there.
    ],
)
def test_a_range_that_cannot_be_widened_is_not_advised_to_be(change):
    change = dict(change)
    first = {"baseline": change.pop("baseline", None)}
    trials = [
        trial(n, [v], config={"lr": lr}, **(first if n == 1 else {}))
        for n, (lr, v) in enumerate(LEANING.items(), start=1)
    ]
    found = advised(study(trials, **change))
    assert found.what.key.startswith("next.repeat"), found.what.key


def test_a_study_that_learnt_nothing_is_looked_into_and_not_repeated():
    found = advised(study([trial(n, [0.0] * 3) for n in (1, 2, 3)]))
    assert found.what.key == "next.nothing_learnt"
    assert found.commands == ("tune show made_up --trial 1", "tune check made_up.yaml")
    assert_commands_exist(found.commands)


def test_trials_that_patience_ended_before_anything_was_learnt_get_more_of_it():
    reason = "stopped early: val/accuracy did not improve for 2 epochs"
    trials = [trial(n, [0.0] * 3, config={"early_stopping_patience": 2, "lr": 0.1 * n}, reason=reason) for n in (1, 2)]
    found = advised(study(trials))
    assert found.what.key == "next.more_patience"
    assert found.commands == ("tune run made_up.yaml --set space.early_stopping_patience=0 --name made_up-patient",)
    assert_commands_exist(found.commands)


def test_trials_that_all_reach_the_same_are_not_repeated():
    found = advised(study([trial(n, [0.1 * n, 1.0]) for n in (1, 2, 3)]))
    assert found.what.key == "next.no_difference"


def repeat(seed: int, value: float, state: str = "completed") -> Repeat:
    return Repeat(f"made_up-seed{seed}", trial(1, [value], state, seed=seed))


TWO = [trial(1, [0.5] * 4, baseline="by hand"), trial(2, [0.6] * 4, seconds=900.0), trial(3, [0.55] * 4)]


def test_after_the_repeats_the_advice_moves_on():
    found = advised(study(TWO, repeats=(repeat(1, 0.59), repeat(2, 0.58))))
    assert found.what.key == "next.confirmed"
    assert found.commands == ("tune best made_up --output best.yaml",)


def test_a_lead_that_did_not_hold_is_searched_on_where_the_budget_is_raised():
    lost = (repeat(1, 0.59), repeat(2, 0.4))
    found = advised(study(TWO, repeats=lost, budget={"trials": 3, "hours": 2.0}, used={"hours": 2.0}))
    assert found.what.key == "next.search_on"
    assert found.commands == ("tune run made_up.yaml --trials +4 --set budget.hours=4",)
    assert_commands_exist(found.commands)
    done = space_of({"lr": [0.01, 0.02, 0.03]})
    assert advised(study(TWO, repeats=lost, space=done)).what.key == "next.not_confirmed"


def test_only_the_repeats_that_are_lacking_are_proposed_under_names_that_are_free():
    one = advised(study(TWO, repeats=(repeat(1, 0.59),)))
    assert one.commands[1:] == (
        "tune train best.yaml --set search.seed=2 --name made_up-seed2",
        "tune report made_up made_up-seed1 made_up-seed2",
    )
    failed = advised(
        study(TWO, repeats=(repeat(1, 0.0, "failed"),), names=frozenset({"made_up-seed1", "made_up-seed2"}))
    )
    assert [command.split()[-1] for command in failed.commands[1:3]] == ["made_up-2-seed2", "made_up-seed3"]
    begun = advised(study(TWO, repeats=(repeat(1, 0.3, "paused"),), names=frozenset({"made_up-seed1"})))
    assert [command.split()[-1] for command in begun.commands[1:3]] == ["made_up-seed1", "made_up-seed2"]


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
    shared = study([], home=Path.cwd() / "runs2", ledger="postgresql://team@db/sweeps")
    assert reproduction(shared)[1] == "tune train best.yaml --home runs2 --ledger postgresql://team@db/sweeps"
    assert_commands_exist(reproduction(view))
