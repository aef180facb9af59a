"""Asks the policy for its next move on another thread: a model that takes seconds to fit holds up no report."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from orchestrator.policies.policy import Done, GoOn, Move, New, Policy, Wait
from orchestrator.trial import PausedBy, Trial

ASK_SECONDS = 0.05  # A quick policy answers within this time; a slow one is asked ahead, while all workers are busy.


@dataclass(frozen=True)
class _Question:
    revision: int  # of the trials that the policy was shown
    answer: Future[Move]


class Ahead:
    """Remembers the policy's answer for as long as the trials stay as they are.

    The answer of a slow policy may be about trials that have changed since: it counts where it can still be followed.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._asked: _Question | None = None
        self._answer: tuple[int, Move] | None = None  # with the revision for which it holds
        self._slow = False  # whether the last answer took longer than ASK_SECONDS

    def move(self, trials: Sequence[Trial], running: Collection[int], revision: int, *, new: bool) -> Move | None:
        """Returns the policy's move, None while it is being computed. Raises what the policy raised.

        running: numbers of the trials that run. revision: differs where the trials do. new: whether another trial is
        allowed.
        """
        if self._answer is not None and self._answer[0] == revision:
            return self._answer[1]
        timeout = 0.0
        if self._asked is None:
            self._asked, timeout = self._ask(trials, running, revision, new=new), ASK_SECONDS
        question = self._asked
        try:
            move = question.answer.result(timeout)
        except TimeoutError:
            self._slow = True
            return None
        self._asked = None
        if question.revision != revision and not _can_follow(move, trials, running, new=new):
            return self.move(trials, running, revision, new=new)
        self._slow = self._slow and timeout == 0.0
        self._answer = revision, move
        return move

    def look_ahead(self, trials: Sequence[Trial], running: Collection[int], revision: int, *, new: bool) -> None:
        """Lets a slow policy think about the move after this one already."""
        if self._slow and self._asked is None:
            self._asked = self._ask(trials, running, revision, new=new)

    def forget(self) -> None:
        """Asks anew next time, even if the trials stay as they are."""
        self._answer = None

    def _ask(self, trials: Sequence[Trial], running: Collection[int], revision: int, *, new: bool) -> _Question:
        question = _Question(revision, Future())
        shown, at_work = tuple(trials), frozenset(running)

        def compute() -> None:
            try:
                question.answer.set_result(self._policy.next(shown, at_work, new=new))
            except BaseException as error:
                question.answer.set_exception(error)

        threading.Thread(target=compute, name="policy", daemon=True).start()
        return question


def _can_follow(move: Move, trials: Sequence[Trial], running: Collection[int], *, new: bool) -> bool:
    """Returns whether a move that was computed for earlier trials makes sense for these."""
    match move:
        case New():
            return new
        case GoOn(number):
            paused = {trial.number for trial in trials if trial.paused_by is PausedBy.POLICY}
            return number not in running and number in paused
        case Wait() | Done():
            return False
