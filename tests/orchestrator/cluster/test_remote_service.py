"""Asks a service through a connection, as the process that speaks with Ray does."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from typing import Any

import pytest

from orchestrator.cluster.remote_service import Question, RemoteService, Service
from orchestrator.cluster.sharing import Claim
from orchestrator.cluster.study_service import StudyService
from orchestrator.job import Ended, Failure, FailureClass, Job
from orchestrator.trial import Report

METHODS = [name for name in vars(Service) if not name.startswith("_")]
CLAIM = Claim("a", "toy", 7, "here", 1.0, 0.0, 2, 1, 0.0)
JOB = Job(3, 1, {"lr": 0.1}, 0, None)
REPORT = Report(1, {"val/score": 0.5}, 1.0, 0.0, True)
LOST = Ended(Failure(FailureClass.WORKER_LOST, "the worker process died"))
REF = JOB.ref


class Recording:
    """Notes what it is asked, and gives the answers that it was told to give."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def answer(*arguments: Any) -> Any:
            self.asked.append((method, *arguments))
            return self.answers.get(method)

        return answer


@pytest.fixture
def recording() -> Recording:
    return Recording(next_job=JOB, is_over=False, is_full=True, report=True, exchange=(CLAIM, True, {JOB.ref}))


@pytest.fixture
def remote(recording: Recording) -> Iterator[RemoteService]:
    """A service whose questions `recording` answers at the other end of a connection."""
    near, far = Pipe()

    def answer_all() -> None:
        while isinstance(question := far.recv(), Question):
            far.send(question.answer(recording))

    answering = threading.Thread(target=answer_all)
    answering.start()
    yield RemoteService(near)
    near.send(None)
    answering.join()


def test_every_question_arrives_as_it_was_asked_and_its_answer_comes_back(remote: RemoteService, recording: Recording):
    assert remote.next_job() == JOB
    assert remote.is_over() is False and remote.is_full() is True
    remote.place(REF, {"host": "here"})
    assert remote.report(REF, REPORT) is True
    remote.end(REF, Ended())
    remote.end(REF, LOST)
    remote.out_of_sight("there")
    assert remote.exchange("a", [{"CPU": 2.0}], [CLAIM], False) == (CLAIM, True, {REF})
    assert recording.asked == [
        ("next_job",),
        ("is_over",),
        ("is_full",),
        ("place", REF, {"host": "here"}),
        ("report", REF, REPORT),
        ("end", REF, Ended()),
        ("end", REF, LOST),
        ("out_of_sight", "there"),
        ("exchange", "a", [{"CPU": 2.0}], [CLAIM], False),
    ]
    assert {asked[0] for asked in recording.asked} == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_both_ends_of_the_connection_have_the_same_methods(method: str):
    expected = inspect.signature(getattr(Service, method))
    for service in (RemoteService, StudyService):
        assert method in vars(service)
        assert inspect.signature(getattr(service, method)) == expected


def test_there_is_no_news_until_an_attempt_ends_or_claims_are_exchanged(remote: RemoteService, recording: Recording):
    def news_after(act: Callable[[], Any]) -> bool:
        remote.news = False
        act()
        return remote.news

    assert remote.news  # Nothing was asked yet.
    assert news_after(remote.next_job)
    recording.answers["next_job"] = None
    assert not news_after(remote.next_job)
    assert not news_after(remote.is_over) and not news_after(remote.is_full)
    assert not news_after(lambda: remote.place(REF, {}))
    assert not news_after(lambda: remote.report(REF, REPORT))
    recording.answers["report"] = False  # The attempt ends with this report.
    assert news_after(lambda: remote.report(REF, REPORT))
    assert news_after(lambda: remote.end(REF, LOST))
    assert news_after(lambda: remote.exchange("a", [], [], False))
