"""Runs in the process of the trials: begins attempts, steps them and closes them, as it is asked."""

from __future__ import annotations

import os
from contextlib import suppress
from multiprocessing.connection import Connection

from orchestrator.worker.attempt import Attempt
from orchestrator.worker.surroundings import Surroundings
from orchestrator.worker.trial_process import Begin, Request, Said, Step, end_with


def main(parent: int, descriptor: int) -> None:
    """Answers requests until there are none any more. parent: the process that asks. descriptor: of the connection."""
    end_with(parent)
    os.set_inheritable(descriptor, False)
    with Connection(descriptor) as connection, suppress(EOFError, ConnectionError):
        serve(connection)


def serve(connection: Connection) -> None:
    """Runs attempts, one at a time. Raises EOFError when nobody asks any more."""
    surroundings = Surroundings()
    attempt: Attempt | None = None
    while True:
        request: Request = connection.recv()
        if isinstance(request, Begin):
            attempt = Attempt(request.job, request.workplace, surroundings.notice)
        elif isinstance(request, Step):
            assert attempt is not None
            connection.send(Said(attempt.step(), dict(attempt.facts)))
        else:
            connection.send(None if attempt is None else attempt.close(surroundings.put_back))
            attempt = None
