"""Steps in the ledger: each write returns what a later start reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.job import FailureClass, JobKind
from orchestrator.ledger import LeaseLost, Ledger, LedgerError
from orchestrator.step import Step
from orchestrator.trial import FailedAttempt, Objective, State

SCORE = Objective("val/score", "max")
SCORES = {"test/score": 0.5}


@pytest.fixture
def ledger(ledger_url: str) -> Ledger:
    return Ledger(ledger_url)


@pytest.fixture
def study(ledger: Ledger) -> int:
    study = ledger.create_study("toy", {}, SCORE, {}).id
    ledger.add_trial(study, {"lr": 0.1})
    return study


def test_a_step_comes_back_as_it_was_returned(ledger: Ledger, study: int):
    step = ledger.steps.add(study, JobKind.SCORE, 1, 5, None, 1.0)
    assert (step.number, step.trial, step.epoch, step.state, step.attempts) == (1, 1, 5, State.RUNNING, 1)
    assert ledger.steps.of(study) == [step]
    step = ledger.steps.set_facts(study, step, {"host": "a"})
    kind = FailureClass.OUT_OF_MEMORY
    step = ledger.steps.finish(study, step, State.PAUSED, "out of memory: x", failure=kind, accumulation_steps=2)
    assert (step.failures, step.accumulation_steps, step.ended) == ((FailedAttempt(kind, 0),), 2, None)
    assert ledger.steps.of(study) == [step]
    step = ledger.steps.start_attempt(study, step, 1.0)
    assert (step.attempts, step.state, step.reason) == (2, State.RUNNING, None)
    assert ledger.steps.of(study) == [step]
    step = ledger.steps.finish(study, step, State.COMPLETED, result=SCORES)
    assert step.result == SCORES and step.ended is not None
    other = ledger.steps.add(study, JobKind.SCORE, 1, 7, 4, 0.0)
    assert ledger.steps.of(study) == [step, other] and other.number == 2


def test_the_result_of_a_scoring_is_the_trials_at_once(ledger: Ledger, study: int):
    step = ledger.steps.add(study, JobKind.SCORE, 1, 5, None, 0.0)
    assert ledger.trial(study, 1).test is None
    ledger.steps.finish(study, step, State.FAILED, "exception: KeyError", "Traceback", failure=FailureClass.EXCEPTION)
    assert ledger.trial(study, 1).test is None
    again = ledger.steps.add(study, JobKind.SCORE, 1, 6, None, 0.0)
    ledger.steps.finish(study, again, State.COMPLETED, result={})
    assert ledger.trial(study, 1).test == {}


def test_a_driver_that_died_ends_the_attempts_at_its_steps(ledger: Ledger, study: int, tmp_path: Path):
    ledger.acquire(study, 2**22 + 1, "elsewhere")  # no such process can live
    step = ledger.steps.add(study, JobKind.SCORE, 1, 5, None, 2.0)
    other = Ledger(ledger.url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.ledger.lease.SILENT_SECONDS", -1.0)
        other.acquire(study, 1, "here")
    with pytest.raises(LeaseLost):
        ledger.steps.finish(study, step, State.COMPLETED, result=SCORES)
    [found] = other.steps.of(study)
    assert (found.state, found.attempts) == (State.RUNNING, 1)
    assert other.gpu_seconds(study) >= 0.0
    assert other.steps.start_attempt(study, found, 1.0).attempts == 2


def test_gpu_seconds_count_steps(ledger: Ledger, study: int):
    step = ledger.steps.add(study, JobKind.SCORE, 1, 5, None, 2.0)
    assert ledger.gpu_seconds(study) == 0.0
    assert ledger.gpu_seconds(study, step.created + 10.0) == pytest.approx(20.0)
    ended = ledger.steps.finish(study, step, State.COMPLETED, result=SCORES)
    assert ended.ended is not None
    assert ledger.gpu_seconds(study) == pytest.approx(2.0 * (ended.ended - step.created))


def test_a_step_that_is_not_there_is_said(ledger: Ledger, study: int):
    with pytest.raises(LedgerError, match=f"study {study} has no step 7"):
        ledger.steps.set_facts(study, Step(7, JobKind.SCORE, 1, 1), {})
