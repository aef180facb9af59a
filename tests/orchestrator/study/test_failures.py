"""What follows from each class of failure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.job import Failure, FailureClass
from orchestrator.study.failures import Streak, Verdict, every_failure, failure_of, judge
from orchestrator.study_file.sections import FailuresSpec
from orchestrator.trial import FailedAttempt, Report, State, Trial
from tests.toy import Config

POLICY = FailuresSpec()
OOM = Failure(FailureClass.OUT_OF_MEMORY, "OutOfMemoryError: 20 GiB are too much")
LOST = Failure(FailureClass.WORKER_LOST, "the worker process died")
CRASH = Failure(FailureClass.CRASH, "the worker process crashed with SIGSEGV", place="train.py:3", cause="SIGSEGV")
HANG = Failure(FailureClass.HANG, "no report for 300 s")


def trial(epochs: int = 0, **fields: Any) -> Trial:
    reports = tuple(Report(epoch, {"val/score": 0.5}, 1.0, float(epoch)) for epoch in range(1, epochs + 1))
    return Trial(1, {}, reports=reports, **fields)


def failed_once_more(before: Trial, failure: Failure, verdict: Verdict) -> Trial:
    """As the ledger has it then."""
    failures = (*before.failures, FailedAttempt(failure.kind, before.epochs))
    return replace(before, failures=failures, accumulation_steps=verdict.accumulation_steps)


def after(failure: Failure, times: int, config: Any = None, policy: FailuresSpec = POLICY) -> tuple[list[bool], Trial]:
    """Was the trial tried again, each of so many times in a row? And the trial as it is then."""
    failed, again = trial(1), []
    for _ in range(times):
        verdict = judge(failure, failed, config or Config(), policy)
        again.append(verdict.again)
        failed = failed_once_more(failed, failure, verdict)
    return again, failed


def test_out_of_memory_doubles_the_pieces_of_a_batch_until_a_piece_is_one_sample():
    config = Config(batch_size=12, accumulation_steps=2)
    steps, failed = [], trial()
    for _ in range(3):
        verdict = judge(OOM, failed, config, POLICY)
        failed = failed_once_more(failed, OOM, verdict)
        steps.append(verdict.accumulation_steps)
    assert steps == [4, 8, 12]
    verdict = judge(OOM, failed, config, FailuresSpec(memory_halvings=99))
    assert not verdict.again
    assert verdict.reason == "out of memory: OutOfMemoryError: 20 GiB are too much; the micro-batch is 1 already"


@pytest.mark.parametrize("halvings", [0, 1, 3])
def test_out_of_memory_is_tried_again_so_often_as_the_file_allows(halvings: int):
    again, failed = after(OOM, halvings + 1, Config(batch_size=1024), FailuresSpec(memory_halvings=halvings))
    assert again == [True] * halvings + [False]
    assert len(failed.failures) == halvings + 1


@pytest.mark.parametrize("config", [{"batch_size": 8, "accumulation_steps": 1}, object()])
def test_without_a_config_that_can_cut_batches_out_of_memory_fails_and_says_so(config: Any):
    verdict = judge(OOM, trial(), config, POLICY)
    assert not verdict.again
    assert verdict.reason.endswith("; the trainable's Config has no accumulation_steps to cut its batches by")


@pytest.mark.parametrize(
    ("failure", "allowed"), [(LOST, POLICY.lost_workers), (CRASH, POLICY.lost_workers), (HANG, POLICY.hangs)]
)
def test_lost_workers_and_hangs_are_forgiven_until_they_come_without_a_new_epoch(failure: Failure, allowed: int):
    again, failed = after(failure, allowed)
    assert again == [True] * (allowed - 1) + [False]
    further = trial(2, failures=failed.failures)
    assert judge(failure, further, Config(), POLICY).again


def test_hangs_and_lost_workers_are_counted_apart():
    _, lost = after(LOST, POLICY.lost_workers - 1)
    assert judge(HANG, lost, Config(), POLICY).again
    assert not judge(LOST, lost, Config(), POLICY).again


@pytest.mark.parametrize("kind", [FailureClass.EXCEPTION, FailureClass.NON_FINITE])
def test_what_would_happen_again_is_not_tried_again(kind: FailureClass):
    assert not judge(Failure(kind, "as it is"), trial(), Config(), POLICY).again


def failures(*kinds: FailureClass) -> tuple[FailedAttempt, ...]:
    return tuple(FailedAttempt(kind, 1) for kind in kinds)


def test_every_failure_is_counted_once_by_its_class():
    out_of_memory = FailureClass.OUT_OF_MEMORY
    trials = [
        Trial(1, {}, State.COMPLETED, failures=failures(FailureClass.HANG, out_of_memory, out_of_memory)),
        Trial(2, {}, State.FAILED, failures=failures(*[out_of_memory] * 4, FailureClass.STORAGE)),
        Trial(3, {}, State.FAILED, failures=failures(FailureClass.EXCEPTION)),
        Trial(4, {}, State.PRUNED, "below the best 1/4 at epoch 1"),
    ]
    assert every_failure(trials) == {"exception": 1, "out_of_memory": 6, "hang": 1}


def test_the_failure_that_ended_a_trial_is_none_after_which_it_was_tried_again():
    kinds = failures(FailureClass.HANG, FailureClass.OUT_OF_MEMORY, FailureClass.HANG)
    assert Trial(1, {}, State.FAILED, failures=kinds).retried == {"out_of_memory": 1, "hang": 1}
    assert Trial(1, {}, State.PAUSED, failures=kinds).retried == {"out_of_memory": 1, "hang": 2}


def test_a_loss_or_an_objective_that_is_no_number_is_a_problem_and_any_other_metric_is_not():
    good = {"val/score": 0.5, "train/loss": 0.1, "val/perplexity": math.inf}
    assert failure_of(Report(1, good, 1.0, 0.0), {"val/score"}) is None
    for name in ("val/score", "train/loss"):
        problem = failure_of(Report(3, good | {name: math.nan}, 1.0, 0.0), {"val/score"})
        assert problem == Failure(FailureClass.NON_FINITE, f"`{name}` is nan at epoch 3")


def raised(place: str, said: str = "KeyError: 'x'") -> Failure:
    return Failure(FailureClass.EXCEPTION, said, place=place)


def test_exceptions_alike_make_a_streak_whatever_they_say_and_others_break_it():
    streak = Streak(3)
    assert streak.failed(Trial(1, {}), raised("train.py:9", "KeyError: 'x'")) == []
    assert streak.failed(Trial(2, {}), raised("train.py:9", "KeyError: 'y'")) == []
    assert streak.failed(Trial(3, {}), raised("train.py:10")) == [1, 2]
    assert streak.failed(Trial(4, {}), raised("train.py:10", "ValueError: 'x'")) == [3]
    assert streak.failed(Trial(5, {}), LOST) == []
    assert not streak.too_long
    for number in (6, 7):
        streak.failed(Trial(number, {}), raised("train.py:10", "ValueError: 'z'"))
    assert streak.too_long
    assert streak.trials == [4, 6, 7]


def test_crashes_alike_make_a_streak_as_exceptions_do():
    streak = Streak(2)
    for number in (1, 2):
        streak.failed(Trial(number, {}), CRASH)
    assert streak.too_long


def test_wrapped_exceptions_are_alike_by_their_first_cause():
    streak = Streak(3)
    wrapped = [raised("pages.py:7", f"RuntimeError: epoch {n} failed; caused by ValueError: page") for n in (1, 2)]
    streak.failed(Trial(1, {}), replace(wrapped[0], cause="ValueError"))
    assert streak.failed(Trial(2, {}), replace(wrapped[1], cause="KeyError")) == [1]
    assert streak.failed(Trial(3, {}), replace(raised("pages.py:7", "OSError: x"), cause="KeyError")) == []
    assert streak.trials == [2, 3]


def test_a_trial_that_gets_further_ends_the_streak_and_one_that_only_gets_as_far_does_not():
    streak = Streak(2)
    streak.failed(trial(epochs=1), raised("train.py:9"))
    assert streak.reported(1) == []
    assert streak.reported(2) == [1]
    streak.failed(trial(epochs=1), raised("train.py:9"))
    assert not streak.too_long


def test_null_never_stops_a_study():
    streak = Streak(None)
    for number in range(1, 100):
        streak.failed(Trial(number, {}), raised("train.py:9"))
    assert not streak.too_long
    assert len(streak.end()) == 99
