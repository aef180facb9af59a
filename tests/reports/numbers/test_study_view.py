"""A ledger's row, read into what a report speaks of."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.ledger import Ledger
from orchestrator.trial import Objective
from reports.numbers.study_view import view
from tests.reports.few_trials import study

RAW = {
    "study": "hrnet",
    "trainable": "a_module.that_is:not_here",
    "objective": {"metric": "val/hmean", "mode": "max"},
    "data": {"root": "data/receipts", "fold": 0},
    "space": {
        "backbone": ["hrnet_w44", "convnext_tiny"],
        "lr": {"low": 1e-4, "high": 1e-3, "log": True},
        "batch_size": {"low": 4, "high": 16, "step": 4},
        "weight_decay": {
            "by": "backbone",
            "hrnet_w44": {"low": 5e-5, "high": 1.5e-4, "log": True},
            "default": {"low": 8e-5, "high": 3e-4, "log": True},
        },
        "drop_path_rate": {"low": 0.0, "high": 0.3, "when": {"backbone": ["convnext_tiny"]}},
        "resolution": {"value": {1: 640, 5: 960}},
        "epochs": 20,
    },
    "budget": {"trials": 40},
}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "runs" / "ledger.db")


def row_of(ledger: Ledger, raw: dict, configs: list[dict]):
    ledger.create_study("hrnet", raw, Objective("val/hmean", "max"), {"file": "hrnet.yaml"})
    row = ledger.study("hrnet")
    for config in configs:
        ledger.add_trial(row.id, config, seed=0)
    return row, ledger.trials(row.id)


def test_a_ledger_row_becomes_a_view_without_importing_the_trainable(ledger, tmp_path):
    row, trials = row_of(ledger, RAW, [{"backbone": "hrnet_w44", "lr": 2e-4}])
    found = view(row, trials, tmp_path / "runs")
    assert (found.name, found.objective.metric, found.trainable) == ("hrnet", "val/hmean", RAW["trainable"])
    assert found.searched["lr"] == {"low": 1e-4, "high": 1e-3, "log": True, "step": None}
    assert found.searched["batch_size"]["step"] == 4
    assert found.searched["backbone"] == {"choices": ["hrnet_w44", "convnext_tiny"]}
    assert found.searched["drop_path_rate"]["when"] == {"backbone": ["convnext_tiny"]}
    assert found.fixed == {"resolution": {1: 640, 5: 960}, "epochs": 20}
    assert found.scheduler == {"name": "asha", "eta": 4, "grace_epochs": 1}
    assert found.budget == {"trials": 40}
    assert found.trial_directory == tmp_path / "runs" / "hrnet" / "trials"
    assert [trial.number for trial in found.trials] == [1]


def test_the_defaults_are_those_that_the_study_was_started_with(ledger, tmp_path):
    kept = {"settings": {"scheduler": {"name": "asha", "eta": 7, "grace_epochs": 3}}}
    ledger.create_study("old", RAW | {"scheduler": {"grace_epochs": 5}}, Objective("val/hmean", "max"), kept)
    found = view(ledger.study("old"), [], tmp_path / "runs")
    assert found.scheduler == {"name": "asha", "eta": 7, "grace_epochs": 5}


def test_a_domain_that_depends_on_another_name_is_the_one_beside_its_value(ledger, tmp_path):
    found = view(*row_of(ledger, RAW, []), tmp_path / "runs")
    assert found.searched["weight_decay"]["low"] == 5e-5 and found.searched["weight_decay"]["high"] == 3e-4
    assert found.domain_of("weight_decay", {"backbone": "hrnet_w44"})["high"] == 1.5e-4
    assert found.domain_of("lr", {})["low"] == 1e-4
    assert found.domain_of("no_such_name", {}) == {}


def test_names_that_only_the_trials_know_are_read_off_them(ledger, tmp_path):
    raw = RAW | {"space": {"lr": {"low": 1.0, "high": 0.1}}}  # faulty now, whatever it was when the study ran
    found = view(*row_of(ledger, raw, [{"lr": 0.1, "k": "a", "n": 3}, {"lr": 0.2, "k": "b", "n": 3}]), tmp_path)
    assert found.searched == {"lr": {}, "k": {"choices": ["a", "b"]}}
    assert found.fixed == {"n": 3}


def test_commands_of_the_default_home_do_not_name_it(ledger, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row, trials = row_of(ledger, RAW, [])
    assert view(row, trials, tmp_path / "runs").home is None
    assert view(row, trials, tmp_path / "other").home == tmp_path / "other"


@pytest.mark.parametrize(("status", "so_far"), [("running", True), ("paused", True), ("finished", False)])
def test_a_study_that_goes_on_is_told_so_far(status, so_far):
    assert study([], status=status).so_far is so_far
