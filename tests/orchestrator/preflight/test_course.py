"""What a study file asks for as a whole and will not get: each is said, none stops a start."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.preflight.course import notes_on_course, wrong_mode
from orchestrator.study_file.study_spec import parse_study
from trainables import load_trainable

METRICS = {"detection": "val/hmean", "recognition": "val/acc"}


def notes(trainable: str = "detection", **sections: Any) -> list[str]:
    raw = {
        "study": "s",
        "trainable": trainable,
        "objective": {"metric": METRICS[trainable], "mode": "max"},
        "space": {"lr": {"low": 1e-4, "high": 1e-2}, "epochs": 3},
    }
    return list(notes_on_course(parse_study(raw | sections, "s.yaml"), load_trainable(trainable)))


def test_a_usual_file_needs_no_note():
    assert notes() == []
    space = {"lr": {"low": 1e-4, "high": 1e-2}, "warmup_epochs": {"low": 2, "high": 15}, "epochs": 60}
    assert notes("recognition", space=space, scheduler={"metric": "val/ned", "mode": "max"}) == []
    assert notes(space={"lr": 0.1, "epochs": 1}) == []  # one config: there is nobody to be stopped


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        (
            {"scheduler": {"name": "asha", "eta": 4, "grace_epochs": 50}},
            "scheduler.grace_epochs: nobody is ever stopped early: no trial is judged before epoch 50, and a trial "
            "ends after 3; lower it below 3, or write `name: none`",
        ),
        (
            {"space": {"lr": 0.1, "warmup_epochs": 15, "epochs": 3}},
            "space.warmup_epochs: every config would warm up to the end: up to 15 epochs, of 3",
        ),
        (
            {"space": {"lr": 0.1, "warmup_epochs": {"low": 0, "high": 9}, "epochs": [3, 60]}},
            "space.warmup_epochs: some configs would warm up to the end: up to 9 epochs, of 3",
        ),
        (
            {"space": {"lr": 0.1, "early_stopping_patience": 5, "epochs": 3}},
            "space.early_stopping_patience: never ends a trial: it waits for 5 epochs, and a trial has 3",
        ),
        (
            {"space": {"lr": [0.1, 0.2], "epochs": 3}, "budget": {"trials": 50}},
            "budget.trials: the space holds 2 configs, so that the study ends after 2 of 50 trials",
        ),
        (
            {"budget": {"trials": 5, "patience": 7}},
            "budget.patience: never ends the study: it waits for 7 trials, and there are 5",
        ),
    ],
)
def test_what_will_not_do_what_it_seems_to_ask_for_is_said(sections: dict[str, Any], said: str):
    [note] = notes(**sections)
    assert note.startswith(said)


def test_early_stopping_and_rungs_on_the_plateau_of_ctc_are_warned_of():
    space = {"lr": {"low": 1e-4, "high": 1e-2}, "early_stopping_patience": 5, "epochs": 60}
    patience, rungs = notes("recognition", space=space)
    assert "val/acc stands still at first, because CTC first learns to say nothing" in patience
    assert "5 epochs without a better val/acc end a trial" in patience
    assert "`scheduler: {metric: val/ned, mode: max}`" in patience
    assert rungs.startswith("scheduler: cannot tell good from bad at epoch 1, 4: val/acc stands still")
    assert notes("recognition", space=space, scheduler={"metric": "val/ned", "mode": "max"}) == []


def test_a_metric_improved_in_the_wrong_direction_is_a_mistake():
    raw = {"study": "s", "trainable": "recognition", "space": {"lr": 0.1}}
    trainable = load_trainable("recognition")
    wrong = parse_study(raw | {"objective": {"metric": "val/cer", "mode": "max"}}, "s.yaml")
    assert wrong_mode(wrong, trainable) == "objective.mode: must be min for val/cer, but got max; write `mode: min`"
    assert (
        wrong_mode(parse_study(raw | {"objective": {"metric": "val/cer", "mode": "min"}}, "s.yaml"), trainable) is None
    )
