"""The policy's next move, computed beside the loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence

import pytest

from orchestrator.policies.policy import Done, GoOn, Move, New, Wait
from orchestrator.study.ahead import ASK_SECONDS, Ahead
from orchestrator.trial import PausedBy, State, Trial


class Scripted:
    """Answers what it was told to, once it is let; counts how often it was asked."""

    metric = "val/score"

    def __init__(self, *moves: Move, slow: bool = False) -> None:
        self.moves = list(moves)
        self.asked: list[int] = []  # how many trials it was shown each time
        self.may_answer = threading.Event()
        if not slow:
            self.may_answer.set()

    def next(self, trials: Sequence[Trial], running: Collection[int], *, new: bool) -> Move:
        self.asked.append(len(trials))
        assert self.may_answer.wait(10)
        return self.moves.pop(0)


def trials(count: int, paused_by: PausedBy | None = None) -> list[Trial]:
    state = State.RUNNING if paused_by is None else State.PAUSED
    return [Trial(number, {"lr": 0.1 * number}, state, paused_by=paused_by) for number in range(1, count + 1)]


def until(ahead: Ahead, known: list[Trial], running: Collection[int], revision: int, *, new: bool = True) -> Move:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        move = ahead.move(known, running, revision, new=new)
        if move is not None:
            return move
        time.sleep(0.01)
    raise AssertionError("no answer came")


def test_a_quick_policy_is_asked_once_for_each_revision():
    policy = Scripted(New({"lr": 1}), New({"lr": 2}))
    ahead = Ahead(policy)  # type: ignore[arg-type]
    assert [ahead.move(trials(1), (1,), 7, new=True) for _ in range(3)] == [New({"lr": 1})] * 3
    assert ahead.move(trials(2), (1, 2), 8, new=True) == New({"lr": 2})
    assert policy.asked == [1, 2]


def test_a_slow_policy_holds_up_nobody_and_its_answer_counts_although_a_report_came_meanwhile():
    policy = Scripted(New({"lr": 1}), slow=True)
    ahead = Ahead(policy)  # type: ignore[arg-type]
    began = time.monotonic()
    assert [ahead.move(trials(1), (1,), revision, new=True) for revision in range(20)] == [None] * 20
    assert time.monotonic() - began < 20 * ASK_SECONDS  # Only the first question waits a little for its answer.
    policy.may_answer.set()
    assert until(ahead, trials(1), (1,), 20) == New({"lr": 1})
    assert policy.asked == [1]


@pytest.mark.parametrize(
    ("stale", "known", "running", "new"),
    [
        (New({"lr": 1}), trials(2), (), False),  # The budget has no other trial now.
        (GoOn(1), trials(2, PausedBy.POLICY), (1,), True),  # It runs already.
        (GoOn(1), trials(2, PausedBy.SESSION), (), True),  # It goes on by itself.
        (Wait(), trials(2), (1,), True),
        (Done(), trials(2), (1,), True),
    ],
)
def test_an_answer_that_can_be_followed_no_more_is_asked_for_anew(
    stale: Move, known: list[Trial], running: Collection[int], new: bool
):
    policy = Scripted(stale, GoOn(2), slow=True)
    ahead = Ahead(policy)  # type: ignore[arg-type]
    assert ahead.move(trials(1), (), 1, new=True) is None
    policy.may_answer.set()
    assert until(ahead, known, running, 2, new=new) == GoOn(2)
    assert policy.asked == [1, 2]


def test_a_slow_policy_thinks_ahead_while_all_workers_are_busy_and_a_quick_one_does_not():
    slow, quick = Scripted(New({"lr": 1}), New({"lr": 2}), slow=True), Scripted(New({"lr": 1}))
    ahead = Ahead(slow)  # type: ignore[arg-type]
    assert ahead.move(trials(1), (1,), 1, new=True) is None
    slow.may_answer.set()
    assert until(ahead, trials(1), (1,), 1) == New({"lr": 1})
    ahead.look_ahead(trials(2), (1, 2), 2, new=True)
    assert until(ahead, trials(2), (1,), 5) == New({"lr": 2})
    assert slow.asked == [1, 2]
    ahead = Ahead(quick)  # type: ignore[arg-type]
    assert ahead.move(trials(1), (1,), 1, new=True) == New({"lr": 1})
    ahead.look_ahead(trials(2), (1, 2), 2, new=True)
    assert quick.asked == [1]


def test_what_a_policy_raises_reaches_the_driver():
    class Broken(Scripted):
        def next(self, *arguments: object, **named: object) -> Move:  # type: ignore[override]
            raise ZeroDivisionError("in the model")

    with pytest.raises(ZeroDivisionError, match="in the model"):
        Ahead(Broken()).move(trials(1), (1,), 1, new=True)  # type: ignore[arg-type]
