"""Asks the process that runs a study to pause it, and tells how that ended."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable

import psutil

from orchestrator.errors import NightsweepError
from orchestrator.ledger import Ledger
from orchestrator.ledger.lease import Lease
from orchestrator.mistake import duration
from orchestrator.trial import State
from orchestrator.typed_command import beside
from tune.attach import lease_of

POLL_SECONDS = 0.5
SAY_SECONDS = 30.0
AGAIN_SECONDS = 1.0  # A second signal within an instant would be one with the first.


def stop(ledger: Ledger, study: str, say: Callable[[str], None], *, now: bool = False) -> None:
    """Pauses a running study as Ctrl-C in its terminal does, and waits until its process has let it go.

    now: as the second Ctrl-C does; what runs loses its epoch. Raises UnknownStudy, and NightsweepError where the
    process may not be asked.
    """
    row = ledger.study(study)
    lease = lease_of(row)
    if lease is None:
        say(f"{study} does not run: {row.status}; nothing is to be stopped")
        return
    here = lease.host == socket.gethostname()
    if here:
        _signal(study, lease)
        if now:
            time.sleep(AGAIN_SECONDS)
            _signal(study, lease)
    else:
        ledger.ask_to_stop(row.id)
    running = sum(trial.state is State.RUNNING for trial in ledger.trials(row.id))
    how = "they lose the epoch that runs" if now and here else "each pauses at its next report"
    say(f"{study}: {lease} is asked to stop; trials that run: {running}, {how}{_suspended(lease) if here else ''}")
    began = said = time.monotonic()
    while lease_of(ledger.study(study)) == lease:
        time.sleep(POLL_SECONDS)
        if time.monotonic() - said >= SAY_SECONDS:
            said = time.monotonic()
            more = _suspended(lease) if here else ""
            say(f"{study}: still waiting for its trials to report, for {duration(said - began)} by now{more}")
    row = ledger.study(study)
    states = [trial.state for trial in ledger.trials(row.id)]
    counts = ", ".join(f"{states.count(state)} {state.value}" for state in State if state in states)
    say(f"{study}: {row.status} after {duration(time.monotonic() - began)}: {counts}; `tune run` goes on from here")


def _signal(study: str, lease: Lease) -> None:
    try:
        os.kill(lease.pid, signal.SIGTERM)
    except ProcessLookupError:
        return  # It has just ended.
    except PermissionError as error:
        raise NightsweepError(
            f"{study}: is run by {lease}, which belongs to another user; ask them to type {beside('stop', study)}"
        ) from error


def _suspended(lease: Lease) -> str:
    """Says so where the process cannot hear it."""
    try:
        stopped = psutil.Process(lease.pid).status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return ""
    return f"; it is suspended, and hears of it after: kill -CONT {lease.pid}" if stopped else ""
