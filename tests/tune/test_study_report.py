"""The report of a study knows the repeats of its best trial that the same ledger holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.study_file.study_spec import load_study, parse_study
from orchestrator.trial import Objective, Report, State
from reports.numbers.advice import advice
from reports.numbers.comparison import compare
from reports.numbers.search_quality import slices
from reports.numbers.verdict import verdict
from tune.study_report import view_of
from tune.summary import best_config

OBJECTIVE = Objective("val/score", "max")
SEARCH = {
    "study": "hrnet",
    "trainable": "tests.toy",
    "objective": {"metric": "val/score", "mode": "max"},
    "data": {"root": "synthetic/x"},
    "space": {"lr": {"low": 1e-4, "high": 1.0, "log": True}, "epochs": 4},
    "search": {"seed": 0},
}
FACTS = {"file": "hrnet.yaml", "data_fingerprint": "abc"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "runs")


@pytest.fixture
def ledger(home: Home) -> Ledger:
    return Ledger(home.ledger)


def add(ledger: Ledger, row: StudyRow, config: dict[str, Any], value: float, seed: int, state=State.COMPLETED) -> None:
    trial = ledger.add_trial(row.id, config, seed=seed)
    for epoch in (1, 2):
        ledger.record(row.id, trial.number, Report(epoch, {"val/score": value * epoch / 2}, 1.0, 100.0 + epoch))
    ledger.finish(row.id, trial.number, state)


def searched(ledger: Ledger) -> StudyRow:
    row = ledger.create_study("hrnet", SEARCH, OBJECTIVE, FACTS)
    add(ledger, row, {"lr": 0.01, "epochs": 4}, 0.7, 0)
    add(ledger, row, {"lr": 0.1234567890123, "epochs": 4}, 0.9, 0)
    ledger.update_study(row.id, status="finished")
    return ledger.study("hrnet")


def trained(
    ledger: Ledger, home: Home, row: StudyRow, seed: int, value: float, *changes: str, **facts: Any
) -> StudyRow:
    """Does what `tune best STUDY` and `tune train best.yaml --set search.seed=N --name STUDY-seedN` leave."""
    file = home.path / "best.yaml"
    file.write_text(best_config(row, ledger.trials(row.id)[1], home))
    name = f"{row.name}-seed{seed}"
    spec = parse_study(load_study(file, [f"search.seed={seed}", *changes]).raw | {"study": name}, "--name")
    made = ledger.create_study(name, spec.raw, OBJECTIVE, FACTS | facts)
    add(ledger, made, dict(spec.space.fixed), value, seed)
    ledger.update_study(made.id, status="finished")
    return ledger.study(name)


def told(ledger: Ledger, home: Home, name: str) -> tuple[str, str]:
    comparison = compare(view_of(ledger.study(name), home, ledger))
    return verdict(comparison).standing, advice(comparison, slices(comparison)).what.key


def test_repeats_that_the_report_proposed_are_counted_and_the_advice_moves_on(ledger: Ledger, home: Home):
    row = searched(ledger)
    assert told(ledger, home, "hrnet") == ("unknown", "next.repeat") or told(ledger, home, "hrnet")[0] == "tie"
    trained(ledger, home, row, 1, 0.88)
    found = compare(view_of(row, home, ledger))
    assert advice(found, slices(found)).commands[1].endswith("--name hrnet-seed2" + f" --home {home.path}")
    trained(ledger, home, row, 2, 0.86)
    assert told(ledger, home, "hrnet") == ("win", "next.confirmed")
    [first, second] = view_of(row, home, ledger).repeats
    assert (first.study, first.seed, second.study, second.seed) == ("hrnet-seed1", 1, "hrnet-seed2", 2)
    # Each of the repeats has the others as its own.
    assert [r.study for r in view_of(ledger.study("hrnet-seed1"), home, ledger).repeats] == ["hrnet", "hrnet-seed2"]
    # Alone it proves nothing, whatever its siblings are: the study that it repeats says what to do.
    repeat = compare(view_of(ledger.study("hrnet-seed1"), home, ledger))
    step = advice(repeat, slices(repeat))
    assert (step.what.key, step.what.values["study"]) == ("next.repeat_of", "hrnet")
    assert step.commands == (f"tune report hrnet --home {home.path}",)
    trained(ledger, home, row, 3, 0.86, "space.lr=0.2")  # Its file names the study, its config is another one.
    assert view_of(ledger.study("hrnet-seed3"), home, ledger).repeat_of is None


@pytest.mark.parametrize(
    ("seed", "changes", "facts"),
    [
        (0, (), {}),  # the same seed
        (1, ("space.lr=0.2",), {}),  # another config
        (1, ("data.root=synthetic/y",), {}),  # other data
        (1, (), {"data_fingerprint": "other"}),
    ],
)
def test_what_is_no_repeat_with_another_seed_counts_for_nothing(ledger, home, seed, changes, facts):
    row = searched(ledger)
    trained(ledger, home, row, seed, 0.88, *changes, **facts)
    assert view_of(row, home, ledger).repeats == ()


def test_two_repeats_do_not_hold_for_a_trial_that_leads_later(ledger: Ledger, home: Home):
    row = searched(ledger)
    trained(ledger, home, row, 1, 0.5)
    trained(ledger, home, row, 2, 0.5)
    assert told(ledger, home, "hrnet") == ("no_win", "next.search_on")
    add(ledger, row, {"lr": 0.2, "epochs": 4}, 0.95, 0)
    assert view_of(row, home, ledger).repeats == ()
    found = compare(view_of(row, home, ledger))
    names = [command.split("--name ")[1].split()[0] for command in advice(found, slices(found)).commands[1:3]]
    assert names == ["hrnet-3-seed1", "hrnet-3-seed2"]  # The shorter names are those of another config.
