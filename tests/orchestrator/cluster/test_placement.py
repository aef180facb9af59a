"""How many trials fit, and what is said when none does."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.cluster.sharing import placement
from orchestrator.errors import InputMistake
from orchestrator.study_file.sections import BudgetSpec
from orchestrator.study_file.study_spec import StudySpec, parse_study


def spec(**resources: Any) -> StudySpec:
    objective = {"metric": "val/score", "mode": "max"}
    raw = {"study": "toy", "trainable": "tests.toy", "objective": objective, "space": {"lr": 0.1}}
    return parse_study(raw | {"resources": resources}, "toy.yaml")


@pytest.mark.parametrize(
    ("resources", "available", "expected"),
    [
        ({}, {"CPU": 2.0, "GPU": 0.0}, (0.0, 2)),
        ({}, {"CPU": 16.0, "GPU": 2.0}, (1.0, 2)),
        ({"gpu": 0.5, "cpu": 4}, {"CPU": 16.0, "GPU": 1.0}, (0.5, 2)),
        ({"gpu": 0.1}, {"CPU": 16.0, "GPU": 0.3}, (0.1, 3)),
        ({"gpu": 0.25, "cpu": 4}, {"CPU": 8.0, "GPU": 4.0}, (0.25, 2)),
        ({"gpu": 0, "cpu": 0.5}, {"CPU": 2.0, "GPU": 1.0}, (0.0, 4)),
        ({"gpu": 0, "concurrent": 1}, {"CPU": 8.0, "GPU": 0.0}, (0.0, 1)),
        ({"gpu": 0, "concurrent": 99}, {"CPU": 8.0, "GPU": 0.0}, (0.0, 8)),
    ],
)
def test_as_many_trials_fit_as_cpus_gpus_and_the_file_allow(
    resources: dict[str, Any], available: dict[str, float], expected: tuple[float, int]
):
    assert placement(spec(**resources), available) == expected


def test_a_gpu_that_is_not_there_is_the_users_mistake_with_two_ways_out():
    with pytest.raises(InputMistake, match=r"resources\.gpu: must be at most the 0 GPUs .* got 1; .*resources\.gpu=0"):
        placement(spec(gpu=1), {"CPU": 2.0, "GPU": 0.0})


def test_more_cores_than_there_are_is_the_users_mistake():
    with pytest.raises(InputMistake, match=r"resources\.cpu: must be at most the 2 CPU cores .* but got 4"):
        placement(spec(gpu=0, cpu=4), {"CPU": 2.0, "GPU": 0.0})


def test_gpu_hours_alone_do_not_limit_trials_that_take_no_gpu():
    study = spec(gpu=0)
    endless = study.model_copy(update={"budget": BudgetSpec(gpu_hours=5.0)})
    with pytest.raises(InputMistake, match=r"budget\.gpu_hours: must not be the only limit .* budget\.hours=8"):
        placement(endless, {"CPU": 2.0, "GPU": 0.0})
    bounded = study.model_copy(update={"budget": BudgetSpec(gpu_hours=5.0, trials=4)})
    assert placement(bounded, {"CPU": 2.0, "GPU": 0.0}) == (0.0, 2)
