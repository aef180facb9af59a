"""Which epoch of a trial is its last one: by its config, or by the trials that have completed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.study.last_epoch import LastEpoch
from orchestrator.trial import Report, State, Trial
from tests import toy
from trainables import Trainable


def train(config: Any, run: Any) -> Iterator[Mapping[str, float]]:
    yield {"a": 0.5}


PLAIN, TYPED = Trainable("plain", train), Trainable("typed", train, toy.Config)


def trial(number: int, reported: int, state: State = State.RUNNING, **config: Any) -> Trial:
    return Trial(number, config, state, reports=tuple(Report(e + 1, {"a": 0.5}, 1.0, 0.0) for e in range(reported)))


def test_a_config_that_names_its_epochs_tells_and_so_does_the_default_of_its_type():
    assert LastEpoch(PLAIN).of(trial(1, 0, epochs=6)) == 6
    assert LastEpoch(TYPED).of(trial(1, 0)) == 9
    assert LastEpoch(PLAIN).of(trial(1, 0, rounds=6)) == math.inf
    reached = [LastEpoch(PLAIN).reached(trial(1, n, epochs=6)) for n in (0, 5, 6, 7)]
    assert reached == [False, False, True, False]


def test_without_epochs_in_its_config_a_trial_ends_where_all_that_completed_have_ended():
    completed = [trial(1, 6, State.COMPLETED), trial(2, 6, State.COMPLETED), trial(3, 2, State.PRUNED)]
    assert LastEpoch(PLAIN).ends_now(trial(4, 6), completed)
    assert not LastEpoch(PLAIN).ends_now(trial(4, 5), completed)
    assert not LastEpoch(PLAIN).ends_now(trial(4, 6), [])
    assert not LastEpoch(PLAIN).ends_now(trial(4, 6), [*completed, trial(5, 7, State.COMPLETED)])


def test_a_trial_is_let_go_on_because_of_others_once_and_not_again():
    last, completed = LastEpoch(PLAIN), [trial(1, 6, State.COMPLETED)]
    assert last.ends_now(trial(4, 6), completed)
    assert not last.ends_now(trial(4, 6), completed)
