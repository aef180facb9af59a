from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils import validation

from orchestrator.ledger.rows import StudyRow
from orchestrator.tracking import projection
from orchestrator.tracking.projection import Point
from orchestrator.trial import Objective, Report, State, Trial

HMEAN = Objective("val/hmean", "max")


def row(status: str = "running") -> StudyRow:
    raw = {
        "study": "hrnet",
        "trainable": "detection",
        "objective": {"metric": "val/hmean", "mode": "max"},
        "space": {"lr": {"low": 1e-5, "high": 0.1, "log": True}, "backbone": "hrnet_w44"},
        "constraints": ["lr <= 0.1"],
        "budget": {"trials": 4, "hours": None},
    }
    facts = {
        "git_commit": "abc",
        "file": "hrnet.yaml",
        "user": "ada",
        "versions": {"torch": "2.15.0"},
        "gpus": ["H200"],
    }
    return StudyRow(1, "uid", "hrnet", raw, HMEAN, status, None, 0.0, facts, 0.0, None, None, None, None, None)


@pytest.mark.parametrize(
    "state, running, waiting",
    [
        (State.RUNNING, "RUNNING", "SCHEDULED"),
        (State.PAUSED, "SCHEDULED", "SCHEDULED"),
        (State.COMPLETED, "FINISHED", "FINISHED"),
        (State.PRUNED, "KILLED", "KILLED"),
        (State.FAILED, "FAILED", "FAILED"),
    ],
)
def test_a_trial_runs_in_mlflow_only_while_it_runs(state: State, running: str, waiting: str) -> None:
    assert projection.status_of(state, study_runs=True) == running
    assert projection.status_of(state, study_runs=False) == waiting


@pytest.mark.parametrize(
    "status, word",
    [
        ("running", "RUNNING"),
        ("paused", "SCHEDULED"),
        ("interrupted", "SCHEDULED"),
        ("finished", "FINISHED"),
        ("failed", "FAILED"),
    ],
)
def test_a_study_that_waits_is_scheduled(status: str, word: str) -> None:
    assert projection.study_status(row(status)) == word


def test_runs_are_named_by_number_and_baseline() -> None:
    assert projection.trial_name(Trial(7, {})) == "0007"
    assert projection.trial_name(Trial(7, {}, baseline="best by hand")) == "0007 best by hand"


@pytest.mark.parametrize(
    "value, text",
    [
        (3.1e-4, "0.00031"),
        (1.0, "1.0"),
        (8, "8"),
        (True, "True"),
        (None, "None"),
        ("hrnet_w44", "hrnet_w44"),
        ("", ""),
        ([1, 2.5, None], "[1, 2.5, null]"),
        ({1: 640, 5: 960}, '{"1": 640, "5": 960}'),
        ("가나다", "가나다"),
    ],
)
def test_params_are_readable(value: object, text: str) -> None:
    assert projection.trial_params(Trial(1, {"x": value})) == {"x": text}


def test_a_long_param_is_cut_and_says_so() -> None:
    text = projection.param_text("x" * 7000)
    assert len(text) == validation.MAX_PARAM_VAL_LENGTH
    assert text.endswith("x ... (7000 characters in all)")
    assert projection.param_text("x" * 6000) == "x" * 6000


def test_of_a_traceback_the_end_is_kept() -> None:
    tags = projection.trial_tags(Trial(1, {}, error="frame\n" * 5000 + "ValueError: the gist"), row())
    assert tags["error"].endswith("ValueError: the gist")
    assert len(tags["error"]) <= validation.MAX_TAG_VAL_LENGTH


def test_a_reason_that_no_longer_holds_is_overwritten() -> None:
    assert projection.trial_tags(Trial(1, {}, reason=None), row())["reason"] == ""


def test_a_study_shows_its_file_and_its_facts() -> None:
    params, tags = projection.study_params(row()), projection.study_tags(row())
    assert params == {
        "trainable": "detection",
        "objective.metric": "val/hmean",
        "objective.mode": "max",
        "space.lr": '{"low": 1e-05, "high": 0.1, "log": true}',
        "space.backbone": "hrnet_w44",
        "constraints": '["lr <= 0.1"]',
    }
    shown = {"status": "running", "budget.trials": "4", "git_commit": "abc", "mlflow.source.git.commit": "abc"}
    assert shown.items() <= tags.items()
    assert "budget.hours" not in tags and not any(name.startswith("versions") for name in tags)
    assert projection.environment(row()) == row().facts


def test_every_metric_and_the_seconds_become_points() -> None:
    reports = [Report(3, {"val/hmean": 0.5, "val/AP@0.5": math.inf}, 2.5, 1795256856.4118)]
    points = projection.points_of(reports, HMEAN)
    at = 1795256856411
    assert points == [
        Point("epoch_seconds", 2.5, at, 3),
        Point("val/hmean", 0.5, at, 3),
        Point("val/AP_0.5", math.inf, at, 3),
    ]


def test_test_scores_stand_at_the_epoch_that_was_scored() -> None:
    reports = tuple(Report(epoch, {"val/hmean": value}, 1.0, epoch) for epoch, value in enumerate([0.1, 0.9, 0.5], 1))
    trial = Trial(1, {}, reports=reports, test={"test/hmean": 0.8})
    assert projection.test_points(trial, HMEAN) == [Point("test/hmean", 0.8, 2000, 2)]
    assert projection.test_points(Trial(1, {}, reports=reports), HMEAN) == []


def test_passwords_are_shown_nowhere() -> None:
    secret = "https://ada:hunter2@host/weights"
    trial = Trial(1, {"weights": secret, "parts": [secret]}, reason=secret, error=f"could not reach {secret}")
    shown = [projection.trial_params(trial), projection.trial_tags(trial, row())]
    study = replace(row(), raw=row().raw | {"data": {"root": secret}}, facts={"command": f"tune run --x {secret}"})
    shown += [projection.study_params(study), projection.study_tags(study), projection.environment(study)]
    assert "hunter2" not in str(shown)
    assert shown[0]["weights"] == "https://ada:***@host/weights"


def test_text_that_postgresql_refuses_is_written_out() -> None:
    assert projection.trial_params(Trial(1, {"x": "a\0b"})) == {"x": r"a\0b"}


def test_reports_that_a_running_trial_is_to_repeat_do_not_count() -> None:
    at = [10.0, 20.0, 35.0, 30.0, 31.0]  # Epoch 3 was repeated; 4 and 5 are older.
    reports = tuple(Report(epoch, {}, 1.0, when) for epoch, when in enumerate(at, 1))
    assert projection.valid_reports(Trial(1, {}, reports=reports)) == reports[:3]
    assert projection.valid_reports(Trial(1, {}, State.PAUSED, reports=reports)) == reports


points = st.builds(Point, st.text(max_size=250), st.floats(), st.integers(0, 2**40), st.integers(0, 1000))
pairs = st.dictionaries(st.text(max_size=20), st.text(max_size=6000))


@given(st.lists(points, max_size=30), st.integers(0, 100), pairs, pairs)
def test_all_comes_once_and_no_call_is_beyond_mlflows_limits(
    some: list[Point], times: int, params: dict[str, str], tags: dict[str, str]
) -> None:
    sent = projection.batches(some * times, params, tags)
    assert [point for batch in sent for point in batch.points] == some * times
    assert [pair for batch in sent for pair in batch.params.items()] == list(params.items())
    assert [pair for batch in sent for pair in batch.tags.items()] == list(tags.items())
    for batch in sent:
        validation._validate_batch_log_limits(batch.points, batch.params, batch.tags)
        request = [asdict(point) for point in batch.points], list(batch.params.items()), list(batch.tags.items())
        assert 0 < len(json.dumps(request)) <= validation.MAX_BATCH_LOG_REQUEST_SIZE


def test_what_fits_goes_in_one_call() -> None:
    some = [Point(f"val/metric-{i}", 0.5, 1795256856411, i) for i in range(800)]
    tags = {f"t{i}": "x" * 500 for i in range(100)}
    assert len(projection.batches(some, tags, tags)) == 1
    assert len(projection.batches([], {f"p{i}": "가" * 6000 for i in range(100)}, {})) > 1
    assert projection.batches([], {}, {}) == []
