"""Every name that is sent is one that MLflow takes, and no two of a run are the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils import validation

from orchestrator.tracking.names import legal, told_apart
from orchestrator.tracking.projection import points_of, trial_params
from orchestrator.trial import Objective, Report, Trial


@given(st.text())
def test_every_name_is_one_that_mlflow_takes(name: str) -> None:
    taken = legal(name)
    validation._validate_metric_name(taken)
    validation._validate_param(taken, "1")
    validation._validate_tag(taken, "1")
    if (
        validation.validate_param_and_metric_name(name.replace("\n", "?"))  # MLflow accepts a line end at the end.
        and not validation.path_not_unique(name)
        and 0 < len(name) <= 250
    ):
        assert taken == name


@given(st.lists(st.text(max_size=260), unique=True, max_size=8), st.lists(st.text(max_size=9), max_size=3))
def test_names_that_differ_stay_different_and_legal(names: list[str], ours: list[str]) -> None:
    sent = told_apart(names, ours)
    assert list(sent) == names
    assert len(set(sent.values())) == len(names)
    for name, taken in sent.items():
        validation._validate_metric_name(taken)
        assert taken not in ours
        assert taken in (name, legal(name)) or taken.startswith(legal(name)[:244] + "-")


def test_two_names_that_mlflow_cannot_tell_apart_stay_two() -> None:
    sent = told_apart(["p@1", "p_1", "p#1", "q@1"])
    assert (sent["p_1"], sent["q@1"]) == ("p_1", "q_1")
    assert sent["p@1"] != sent["p#1"] and all(sent[name].startswith("p_1-") for name in ("p@1", "p#1"))
    assert told_apart(["p@1"]) == {"p@1": "p_1"}
    assert sorted(trial_params(Trial(1, {"a b": 1, "a?b": 2, "a_b": 3})).values()) == ["1", "2", "3"]


def test_a_metric_that_is_called_as_one_of_ours_hides_none() -> None:
    objective = Objective("acc", "max")
    report = Report(2, {"acc": 0.5, "epoch": 7.0, "epoch_seconds": 9.0, "best/acc": 3.0, "best_epoch": 4.0}, 1.5, 10.0)
    points = {point.name: point.value for point in points_of([report], objective)}
    assert (points.pop("epoch_seconds"), points.pop("acc")) == (1.5, 0.5)
    assert (points.pop("metric/epoch_seconds"), points.pop("metric/epoch")) == (9.0, 7.0)
    assert sorted(points.values()) == [3.0, 4.0]
    assert not points.keys() & {"best/acc", "best_epoch"}
