"""Which checkpoints are worth their disk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.checkpoints.retention import best_saved_epoch, epochs_to_keep, over_quota
from orchestrator.home import epoch_of
from orchestrator.trial import Objective, Report, State, Trial

OBJECTIVE = Objective("val/acc", "max")


def trial_of(
    values: list[float], state: State = State.RUNNING, saved: set[int] | None = None, number: int = 1
) -> Trial:
    reports = tuple(
        Report(epoch, {"val/acc": value}, 1.0, 0.0, saved is None or epoch in saved)
        for epoch, value in enumerate(values, start=1)
    )
    return Trial(number, {}, state, reports=reports)


@pytest.mark.parametrize(
    ("state", "winner", "kept"),
    [
        (State.RUNNING, False, {2, 4, 5}),  # the best and the newest two
        (State.PAUSED, False, {2, 4, 5}),
        (State.COMPLETED, False, {2}),
        (State.PRUNED, False, set()),
        (State.PRUNED, True, {2}),
        (State.FAILED, False, set()),
    ],
)
def test_what_is_kept_depends_on_whether_the_trial_may_go_on_or_win(state: State, winner: bool, kept: set[int]):
    trial = trial_of([0.1, 0.9, 0.3, 0.4, 0.5], state)
    assert epochs_to_keep(trial, OBJECTIVE, range(1, 6), winner=winner) == kept


def test_the_best_among_the_saved_epochs_is_kept_when_the_best_epoch_was_not_saved():
    trial = trial_of([0.1, 0.9, 0.3, 0.4, 0.5], State.COMPLETED, saved={1, 4})
    assert epochs_to_keep(trial, OBJECTIVE, range(1, 6), winner=True) == {4}


def test_the_newest_two_are_those_that_are_there():
    trial = trial_of([0.9, 0.3, 0.4, 0.5, 0.6])  # epochs 4 and 5 were corrupt: it learns them again
    assert epochs_to_keep(trial, OBJECTIVE, {1, 2, 3}, winner=False) == {1, 2, 3}
    assert best_saved_epoch(trial, OBJECTIVE, {2, 3}) == 3


@pytest.mark.parametrize(
    ("name", "epoch"), [("epoch-0012", 12), ("epoch-12345", 12345), (".epoch-0012.partial", None), ("epoch-", None)]
)
def test_only_a_whole_checkpoints_folder_has_an_epoch(name: str, epoch: int | None):
    assert epoch_of(name) == epoch


# A study at work: 3 leads, 4 led before it, 5 and 6 are finished and worse, 7 has just begun.
TRIALS = {
    trial.number: trial
    for trial in (
        trial_of([0.5, 0.9, 0.8, 0.8], number=3),
        trial_of([0.85], State.PRUNED, number=4),
        trial_of([0.2], State.COMPLETED, number=5),
        trial_of([0.6], State.COMPLETED, number=6),
        trial_of([0.1, 0.1], State.PAUSED, number=7),
    )
}
SIZES = {3: {2: 10, 3: 10, 4: 10}, 4: {1: 10}, 5: {1: 10}, 6: {1: 10}, 7: {1: 10, 2: 10}}
IN_ORDER = [(5, 1), (6, 1), (4, 1), (7, 1), (3, 3)]  # the worst finished first; then what unfinished ones can spare


@pytest.mark.parametrize("gone", range(len(IN_ORDER) + 1))
def test_the_worst_finished_trials_let_go_first_and_no_more_than_needed(gone: int):
    quota = 80 - 10 * gone
    assert over_quota(SIZES, TRIALS, OBJECTIVE, 3, quota) == IN_ORDER[:gone]
    assert over_quota(SIZES, TRIALS, OBJECTIVE, 3, quota + 9) == IN_ORDER[:gone]


def test_the_studys_best_and_the_newest_of_unfinished_ones_stay_whatever_the_quota():
    assert over_quota(SIZES, TRIALS, OBJECTIVE, 3, 0) == IN_ORDER


def test_where_less_is_better_the_worst_is_the_largest():
    trials = {n: trial_of([value], State.COMPLETED, number=n) for n, value in ((1, 0.1), (2, 0.9), (3, 0.5))}
    sizes = {n: {1: 1} for n in trials}
    assert over_quota(sizes, trials, Objective("val/acc", "min"), 1, 0) == [(2, 1), (3, 1)]


@given(st.data())
def test_what_is_left_fits_or_nothing_more_could_go(data: st.DataObject):
    numbers = data.draw(st.lists(st.integers(1, 9), unique=True, min_size=1))
    trials, sizes = {}, {}
    for number in numbers:
        values = data.draw(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=1, max_size=4))
        trials[number] = trial_of(values, data.draw(st.sampled_from(State)), number=number)
        epochs = data.draw(st.sets(st.integers(1, len(values)), min_size=1))
        sizes[number] = {epoch: data.draw(st.integers(0, 5)) for epoch in epochs}
    best, quota = data.draw(st.sampled_from(numbers)), data.draw(st.integers(0, 40))
    gone = over_quota(sizes, trials, OBJECTIVE, best, quota)
    left = {(n, e): size for n, epochs in sizes.items() for e, size in epochs.items() if (n, e) not in gone}
    assert len(set(gone)) == len(gone)
    must_stay = {(n, max(epochs)) for n, epochs in sizes.items() if not trials[n].state.final}
    must_stay.add((best, best_saved_epoch(trials[best], OBJECTIVE, sizes[best])))
    assert must_stay <= left.keys()
    assert sum(left.values()) <= quota or left.keys() == must_stay
    if gone:
        number, epoch = gone[-1]
        assert sum(left.values()) + sizes[number][epoch] > quota
