"""How long trials take, against the same said naively."""

from __future__ import annotations

import statistics

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.job import Silence
from orchestrator.study.pace import Pace
from orchestrator.study_file.sections import FailuresSpec
from orchestrator.trial import Report, Trial

SECONDS = st.lists(st.lists(st.floats(0.1, 1000.0), max_size=6), max_size=8)


def trial(number: int, seconds: list[float]) -> Trial:
    return Trial(number, {}, reports=tuple(Report(i + 1, {}, s, 0.0) for i, s in enumerate(seconds)))


def needed(trials: list[Trial], grace_epochs: int) -> float:
    """What a new trial needs until its first rung."""
    rungs = [sum(r.seconds for r in t.reports[:grace_epochs]) for t in trials if t.epochs >= grace_epochs]
    firsts = [t.reports[0].seconds for t in trials if t.reports]
    return statistics.median(rungs) if rungs else grace_epochs * statistics.median(firsts) if firsts else 0.0


@given(SECONDS, st.integers(1, 4))
def test_a_new_trial_needs_as_long_as_the_median_until_the_first_rung(seconds: list[list[float]], grace_epochs: int):
    trials = [trial(number, each) for number, each in enumerate(seconds)]
    assert Pace(trials, grace_epochs).seconds_needed(None) == needed(trials, grace_epochs)


@given(SECONDS, st.integers(1, 4))
def test_report_by_report_it_learns_the_same_as_from_the_ledger(seconds: list[list[float]], grace_epochs: int):
    pace = Pace([], grace_epochs)
    for epoch in range(1, 7):
        for number, each in enumerate(seconds):
            if len(each) >= epoch:
                pace.reported(trial(number, each[:epoch]))
    trials = [trial(number, each) for number, each in enumerate(seconds)]
    assert pace.seconds_needed(None) == needed(trials, grace_epochs)
    assert pace.silence(trial(9, []), FailuresSpec()) == Pace(trials, grace_epochs).silence(
        trial(9, []), FailuresSpec()
    )


def test_a_trial_that_goes_on_needs_an_epoch_as_long_as_its_longest():
    pace = Pace([trial(1, [100.0, 100.0])], 2)
    assert pace.seconds_needed(trial(2, [5.0, 7.0, 6.0])) == 7.0
    assert pace.seconds_needed(trial(2, [])) == 200.0


def test_a_start_until_a_named_epoch_needs_all_the_epochs_up_to_it():
    pace = Pace([trial(1, [100.0, 80.0])], 2)
    assert pace.seconds_needed(trial(2, [5.0, 7.0, 6.0]), until=5) == 2 * 7.0
    assert pace.seconds_needed(trial(2, [5.0, 7.0, 6.0]), until=2) == 7.0  # It goes on by one epoch at least.
    assert pace.seconds_needed(None, until=2) == 180.0
    assert pace.seconds_needed(None, until=4) == 400.0


def test_the_first_report_may_take_what_the_file_says_or_many_times_what_it_took_others():
    policy = FailuresSpec(first_report_minutes=2, hang_minutes=0.5, hang_factor=10)
    assert Pace([], 1).silence(trial(1, []), policy) == Silence(120.0, 0.0, 10.0, 30.0)
    assert Pace([trial(1, [8.0, 1.0])], 1).silence(trial(2, []), policy).limit == 120.0
    assert Pace([trial(1, [20.0, 1.0])], 1).silence(trial(2, []), policy).limit == 200.0
    assert Pace([], 1).silence(trial(2, [3.0, 40.0]), policy) == Silence(400.0, 40.0, 10.0, 30.0)


def test_later_reports_may_take_many_times_the_longest_epoch_but_never_less_than_the_floor():
    silence = Silence(limit=120.0, longest=0.0, factor=10.0, floor=30.0)
    limits = []
    for seconds in (1.0, 4.0, 2.0):
        silence = silence.after(seconds)
        limits.append(silence.limit)
    assert limits == [30.0, 40.0, 40.0]
