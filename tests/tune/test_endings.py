"""`tune show` says in a few lines how the trials of a study ended."""

from __future__ import annotations

from orchestrator.trial import State, Trial
from tune.endings import endings


def test_trials_that_ended_alike_share_a_line_and_the_most_frequent_comes_first():
    patience, rung = "stopped early: val/acc did not improve for 5 epochs", "below the best 1/4 at the rung of epoch 1"
    trials = [
        Trial(1, {}, State.COMPLETED, "last epoch: 6 of 6"),
        *(Trial(n, {}, State.PRUNED, rung) for n in (2, 4, 5)),
        *(Trial(n, {}, State.COMPLETED, patience) for n in (3, 6)),
        Trial(7, {}, State.FAILED, "hang: no report for 300 s"),
        Trial(8, {}, State.PAUSED, "the deadline came"),
        Trial(9, {}, State.COMPLETED),
    ]
    assert list(endings(trials)) == [
        f"pruned: {rung} (trials 2, 4, 5)",
        f"completed: {patience} (trials 3, 6)",
        "completed: last epoch: 6 of 6 (trial 1)",
    ]


def test_a_line_names_the_first_of_many_trials():
    [line] = endings([Trial(n, {}, State.COMPLETED, "last epoch: 6 of 6") for n in range(1, 41)])
    assert line == "completed: last epoch: 6 of 6 (trials 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ...)"
