"""Defines what the process that speaks with Ray asks of a study, and the messages by which it asks.

`StudyService` answers in the driver. `RemoteService` has the same methods in the Ray process: each sends its question
over the connection and returns the answer. No other file knows what these messages look like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from orchestrator.cluster.sharing import Claim, Node
from orchestrator.job import Ended, Job, JobRef
from orchestrator.trial import Report

P = ParamSpec("P")
R = TypeVar("R")


class Service(Protocol):
    """Answers for a running study. ref: names an attempt, at a trial or at a step."""

    def next_job(self) -> Job | None:
        """Returns what a free worker is to do; None when nothing may start now."""

    def is_over(self) -> bool:
        """Returns whether nothing runs and nothing will start before this study has a share again."""

    def is_full(self) -> bool:
        """Returns whether a worker that became free is to be given back, because the others' share would suffer."""

    def place(self, ref: JobRef, facts: Mapping[str, Any]) -> None:
        """Records where an attempt runs: host, process, device."""

    def report(self, ref: JobRef, report: Report) -> bool:
        """Records the report of one epoch; returns whether the trial goes on."""

    def end(self, ref: JobRef, ended: Ended) -> None:
        """Records how an attempt ended, its worker's death included, unless it had its end before."""

    def out_of_sight(self, host: str) -> None:
        """Refuses to train on a machine that does not see the study's checkpoints. Raises RayUnavailable."""

    def exchange(
        self, job: str, nodes: Sequence[Node], others: Sequence[Claim], stuck: bool
    ) -> tuple[Claim, bool, set[JobRef]]:
        """Takes the claims of the other studies on the cluster.

        Returns our own, whether a job may start, and the attempts whose workers are to be ended now.

        job: Ray's id of this driver. stuck: whether Ray has not found a place for what was started.
        """


@dataclass(frozen=True)
class Question:
    """Asks for what a method of the service returns."""

    method: str
    arguments: tuple[Any, ...]

    def answer(self, service: Service) -> Any:
        """Returns what the service says; raises what it raises."""
        return getattr(service, self.method)(*self.arguments)


class RemoteService(Service):
    """Asks the service at the other end of the connection.

    news: since there was last no job, an attempt has ended or claims were exchanged, so that there may be one now.
    """

    def __init__(self, connection: Connection) -> None:
        self.news = True
        self._connection = connection

    def next_job(self) -> Job | None:
        job = self._ask(Service.next_job)
        self.news = job is not None
        return job

    def is_over(self) -> bool:
        return self._ask(Service.is_over)

    def is_full(self) -> bool:
        return self._ask(Service.is_full)

    def place(self, ref: JobRef, facts: Mapping[str, Any]) -> None:
        self._ask(Service.place, ref, facts)

    def report(self, ref: JobRef, report: Report) -> bool:
        goes_on = self._ask(Service.report, ref, report)
        self.news = self.news or not goes_on
        return goes_on

    def end(self, ref: JobRef, ended: Ended) -> None:
        self._ask(Service.end, ref, ended)
        self.news = True

    def out_of_sight(self, host: str) -> None:
        self._ask(Service.out_of_sight, host)

    def exchange(
        self, job: str, nodes: Sequence[Node], others: Sequence[Claim], stuck: bool
    ) -> tuple[Claim, bool, set[JobRef]]:
        answer = self._ask(Service.exchange, job, nodes, others, stuck)
        self.news = True
        return answer

    def _ask(self, method: Callable[Concatenate[Service, P], R], *arguments: P.args, **named: P.kwargs) -> R:
        """Returns what `method` of the service returns; its signature says what may be asked. Names no arguments."""
        assert not named
        self._connection.send(Question(method.__name__, arguments))
        answer: R = self._connection.recv()
        return answer


# Requests of the driver, and how they end


@dataclass(frozen=True)
class Request:
    """Asks the Ray process to call a function of its own, with its link to the driver first.

    function: None asks the process to end.
    """

    function: Callable[..., Any] | None
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Done:
    """Carries what the function of a request returned."""

    result: Any


@dataclass(frozen=True)
class Raised:
    """Carries what the exception of a request said."""

    text: str
