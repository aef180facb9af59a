"""Study files in the words of W&B, Optuna and Ray Tune are answered line by line, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import InputMistake
from orchestrator.study_file.study_spec import load_study, parse_study

SWEEP = """\
program: train.py
method: bayes
name: my-sweep
project: receipts
metric: {name: val/score, goal: maximize}
parameters:
  lr: {distribution: log_uniform_values, min: 1e-5, max: 1e-1}
  family: {values: [adam, sgd]}
early_terminate: {type: hyperband, min_iter: 3, eta: 3}
run_cap: 40
"""
STUDY = """\
study: mine
trainable: tests.toy
n_trials: 50
timeout: 3600
maxTrialNumber: 7
objective: {name: val/score, direction: minimize}
search: {sampler: TPESampler, n_startup_trials: 10}
scheduler: {name: MedianPruner, reduction_factor: 3, grace_period: 2}
budget: {num_samples: 40, time_budget_s: 5400}
resources: {max_concurrent_trials: 2, gpus: 1}
space: {learning_rate: {uniform: [0.1, 1]}}
"""


def advice(file: Path, text: str) -> dict[str, str]:
    """Returns, for each line of what is said of the file, the place and what to write there."""
    file.write_text(text)
    with pytest.raises(InputMistake) as refused:
        load_study(file)
    found = {}
    for line in refused.value.lines:
        place, _, said = line.removeprefix(f"{file}: ").partition("; ")
        found[place.split(", but got")[0]] = said
    return found


def test_a_sweep_of_wandb_is_told_what_each_of_its_lines_is_here(tmp_path: Path):
    assert advice(tmp_path / "sweep.yaml", SWEEP) == {
        "unknown field `program`": "write trainable: detection, or package.module:callable",
        "unknown field `method`": "write search: {sampler: auto}",
        "unknown field `name`": "write study: my-sweep",
        "unknown field `project`": "remove it: a study's name is its experiment in MLflow",
        "unknown field `metric`": "write objective: {metric: val/score, mode: max}",
        "unknown field `parameters`": "write space: with a name and its domain a line",
        "unknown field `early_terminate`": "write scheduler: {name: asha, grace_epochs: 3, eta: 3}",
        "unknown field `run_cap`": "write budget: {trials: 40}",
        "space.lr: must be a domain in the words of a study file": "write low: 1e-05, high: 0.1, log: true",
        "space.family: must be a domain in the words of a study file": "write choices: [adam, sgd]",
    }


def test_words_of_optuna_and_ray_in_a_study_file_are_answered_by_their_meaning(tmp_path: Path):
    assert advice(tmp_path / "study.yaml", STUDY) == {
        "unknown field `n_trials`": "write budget: {trials: 50}",
        "unknown field `timeout`": "write budget: {hours: 1}",
        "unknown field `maxTrialNumber`": "write budget: {trials: 7}",
        "objective: unknown field `name`": "write metric: val/score",
        "objective: unknown field `direction`": "write mode: min",
        "search.sampler: must be `auto` or `random`": "write `auto`",
        "search: unknown field `n_startup_trials`": "remove it: the sampler has no settings",
        "scheduler.name: must be `asha` or `none`": "write `asha`",
        "scheduler: unknown field `reduction_factor`": "write eta: 3",
        "scheduler: unknown field `grace_period`": "write grace_epochs: 2",
        "budget: unknown field `num_samples`": "write trials: 40",
        "budget: unknown field `time_budget_s`": "write hours: 1.5",
        "resources: unknown field `max_concurrent_trials`": "write concurrent: 2",
        "resources: unknown field `gpus`": "write gpu: 1",
        "space: unknown field `learning_rate`, did you mean `lr`?": "",
        "space.learning_rate: must be a domain in the words of a study file": "write low: 0.1, high: 1",
    }


@pytest.mark.parametrize(("mode", "said"), [("maximize", "max"), ("minimise", "min"), ("lower", "min")])
def test_a_direction_is_known_in_other_words(mode: str, said: str):
    raw = {"study": "s", "trainable": "tests.toy", "objective": {"metric": "m", "mode": mode}, "space": {"lr": 0.1}}
    with pytest.raises(InputMistake, match=f"objective.mode: must be `max` or `min`, but got '{mode}'; write `{said}`"):
        parse_study(raw, "s.yaml")


def test_what_no_tool_writes_is_still_answered_by_its_spelling():
    raw = {"study": "s", "trainable": "tests.toy", "objektive": {"metric": "m", "mode": "max"}, "space": {"lr": 0.1}}
    with pytest.raises(InputMistake) as refused:
        parse_study(raw, "s.yaml")
    assert refused.value.lines == ["s.yaml: unknown field `objektive`, did you mean `objective`?"]
