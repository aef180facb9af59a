"""A check before the first trial, in a process of its own, whatever becomes of that process."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.ledger import Ledger
from orchestrator.preflight import Start, check_before_start, data_check, due, examine, examine_apart
from orchestrator.preflight.data_check import Workbench, examine_data
from orchestrator.study.continuation import forbidden_changes
from orchestrator.study_file.study_spec import StudySpec, parse_study
from trainables import Finding

CHECKS = """
import os, signal, time
from trainables import Finding

def train(config, run):
    if run.data["what"] == "slow":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    yield {"val/score": 1.0}

def check(config, data, directory):
    yield Finding("first", f"process {os.getpid()}", epoch_seconds=2.0)
    what = data["what"]
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "exit":
        os._exit(3)
    if what == "raise":
        raise ZeroDivisionError("half a label")
    yield Finding("second", "seen", "it is broken" if what == "problem" else None)
"""


@pytest.fixture
def spec_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "checked_by_its_author.py").write_text(textwrap.dedent(CHECKS))
    monkeypatch.syspath_prepend(str(tmp_path))

    def build(**sections: object) -> StudySpec:
        document = {
            "study": "checked",
            "trainable": "checked_by_its_author",
            "objective": {"metric": "val/score", "mode": "max"},
            "space": {"lr": {"low": 0.1, "high": 1.0}},
            "data": {"what": "nothing"},
        }
        return parse_study(document | sections, "checked.yaml")

    return build


def findings_of(spec: StudySpec, directory: Path) -> list[Finding]:
    return list(examine_apart(spec, directory))


def test_the_check_runs_in_another_process_and_its_findings_arrive_in_order(spec_of, tmp_path: Path):
    import os

    findings = findings_of(spec_of(), tmp_path / "check")
    assert [finding.check for finding in findings] == ["first", "second", "cost"]
    assert [finding.problem for finding in findings] == [None] * 3
    assert findings[0].detail != f"process {os.getpid()}"


@pytest.mark.parametrize(
    ("space", "trials", "cost"),
    [
        ({"lr": [0.1, 0.2, 0.3], "epochs": 4}, 50, "3 trials of at most 4 epochs take about 12 epochs, 24 s"),
        ({"lr": [0.1, 0.2, 0.3], "epochs": 4}, 2, "2 trials of at most 4 epochs take about 8 epochs, 16 s"),
        ({"lr": 0.1, "epochs": 4}, 5, "5 trials of at most 4 epochs take about 20 epochs, 40 s"),  # other seeds
        (
            {"lr": {"low": 0.1, "high": 1.0}, "epochs": {"low": 2, "high": 8}},
            3,
            "3 trials of at most 8 epochs take about 15 epochs, 30 s",
        ),
    ],
)
def test_the_cost_is_that_of_the_trials_that_there_will_be(spec_of, tmp_path: Path, space, trials: int, cost: str):
    spec = spec_of(space=space, budget={"trials": trials}, scheduler={"name": "none"})
    *_, finding = examine_data(spec, tmp_path / "check", Workbench())
    assert finding.detail.partition(";")[0] == cost


def test_a_baseline_costs_its_own_epochs(spec_of, tmp_path: Path):
    baselines = [{"lr": 0.5, "epochs": 2}, {"lr": 0.6, "epochs": 8}]
    space = {"lr": {"low": 0.1, "high": 1.0}, "epochs": {"low": 2, "high": 8}}
    spec = spec_of(space=space, baselines=baselines, budget={"trials": 3}, scheduler={"name": "none"})
    *_, finding = examine_data(spec, tmp_path / "check", Workbench())
    assert finding.detail.startswith("3 trials of at most 8 epochs take about 15 epochs, ")


def test_a_train_with_wrong_parameters_is_told_once(spec_of, tmp_path: Path):
    (tmp_path / "of_one_parameter.py").write_text("def train(config):\n    yield {'val/score': 1.0}\n")
    start = Start(spec_of(trainable="of_one_parameter:train"), Home.at(tmp_path), "checked.yaml")
    wrong = [finding for finding in examine(start) if finding.problem is not None]
    assert [finding.check for finding in wrong] == ["study file"]


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("kill", "the check was killed by SIGKILL; memory ran out, most likely: lower `batch_size`"),
        ("exit", "the check ended with exit code 3; look at what it printed"),
        ("raise", "ZeroDivisionError: half a label"),
        ("problem", "it is broken"),
    ],
)
def test_whatever_ends_the_check_is_a_finding(spec_of, tmp_path: Path, what: str, problem: str):
    findings = findings_of(spec_of(data={"what": what}), tmp_path / "check")
    assert [finding.problem for finding in findings if finding.problem] == [problem]


def test_whoever_starts_a_study_is_told_of_each_check_as_it_ends(spec_of, tmp_path: Path):
    told: list[str] = []
    with pytest.raises(InputMistake, match="it is broken"):
        check_before_start(
            Start(spec_of(data={"what": "problem"}), Home.at(tmp_path), "checked.yaml"),
            skip=False,
            say=told.append,
            checked=lambda finding: told.append(finding.check),
        )
    checks = ["study file", "machine", "ledger", "first", "second"]
    assert told == [*checks, f"checked: looked at {', '.join(checks)}: something is wrong"]


def test_a_finding_is_accepted_by_its_name_and_what_was_not_found_is_said(spec_of, tmp_path: Path):
    data = {"what": "problem", "accept": ["second", "frist"]}
    start = Start(spec_of(data=data), Home.at(tmp_path), "checked.yaml")
    findings = {finding.check: finding for finding in examine(start)}
    assert [finding.problem for finding in findings.values()] == [None] * len(findings)
    assert findings["second"].note == "accepted as second: it is broken"
    assert findings["accepted"].note == "data.accept: `frist` was not found"
    assert findings["one report"].detail.endswith("after 0 s: val/score 1")
    assert start.spec.data == {"what": "problem"}  # the trainable learns from the same data


def test_a_first_report_is_not_waited_for_without_end(spec_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(data_check, "_TO_END", 0.1)
    bench = Workbench(report=True, report_seconds=0.2)
    (*checks, late) = examine_apart(spec_of(data={"what": "slow"}), tmp_path / "check", bench)
    assert [finding.check for finding in checks] == ["first", "second"]
    assert (late.check, late.problem) == ("one report", None)
    assert late.detail == "none within 0 s, and not waited for any longer"


def test_what_becomes_of_bad_pictures_may_change_and_is_checked_again(tmp_path: Path):
    def build(**data: object) -> StudySpec:
        sections = {"study": "s", "trainable": "recognition", "objective": {"metric": "val/acc", "mode": "max"}}
        return parse_study(
            {**sections, "space": {"lr": [1e-3]}, "data": {"root": "synthetic/plates", **data}}, "s.yaml"
        )

    ledger, before = Ledger(tmp_path / "ledger.db"), build(crops=8)
    row = ledger.create_study("s", before.raw, before.objective.objective, {})
    after = build(crops=8, on_bad="skip")
    assert forbidden_changes(row, after, {}) == [] and due(after, row, 3) and not due(before, row, 3)
    assert forbidden_changes(row, build(crops=9), {}) == ["data: must be what study 's' was begun with, but differs"]


def test_accepting_more_of_the_data_asks_for_no_other_check(spec_of, tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.db")
    spec = spec_of()
    row = ledger.create_study("checked", spec.raw, spec.objective.objective, {})
    assert not due(spec_of(data={"what": "nothing", "accept": ["second"]}), row, 3)
    assert due(spec_of(data={"what": "problem"}), row, 3)


def test_a_study_is_checked_until_it_has_trials_and_again_when_what_was_looked_at_changed(spec_of, tmp_path: Path):
    spec = spec_of()
    ledger = Ledger(tmp_path / "ledger.db")
    row = ledger.create_study("checked", spec.raw, spec.objective.objective, {})
    assert due(spec, None, 0)
    assert due(spec, row, 0)
    assert not due(spec, row, 3)
    assert not due(spec_of(budget={"trials": 9}), row, 3)
    assert due(spec_of(space={"lr": {"low": 0.1, "high": 0.5}}), row, 3)


def test_a_trainable_without_a_check_needs_none(spec_of):
    assert not due(spec_of(trainable="tests.orchestrator.preflight.test_data_check:train_without_check"), None, 0)


def train_without_check(config, run):
    yield {"val/score": 1.0}
