"""Shows what a study that runs elsewhere says, from its run.log, and leaves it alone."""

from __future__ import annotations

import socket
import time

from orchestrator.errors import NightsweepError
from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.ledger.lease import Lease
from orchestrator.typed_command import beside
from tune.run_log import NAME, last_session
from tune.show import say
from tune.terminal import visible

POLL_SECONDS = 0.5


def attach(home: Home, ledger: Ledger, study: str) -> None:
    """Prints what the last start of the study has said, and all that follows until it ends. Ctrl-C ends this alone.

    Raises UnknownStudy, and NightsweepError where this home has no log of it.
    """
    row = ledger.study(study)
    file = home.study(study) / NAME
    if not file.exists():
        where = f"; {row.lease} runs it, whose home has the log" if row.lease is not None and row.lease.alive else ""
        raise NightsweepError(
            f"{home.shown(file)}: must be there, but {study} has said nothing{where}; try `{beside('list')}`"
        )
    lease = lease_of(row)
    try:
        with file.open("rb") as log:
            log.seek(last_session(log.read()))
            while True:
                over = lease is None or (lease_of(ledger.study(study)) != lease and _is_silent(lease))
                text = log.read().decode("utf-8", "replace")
                if text:
                    print(visible(text), end="", flush=True)
                if over:
                    break
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        again, stop = beside("attach", study), beside("stop", study)
        say(f"\n{study} goes on; `{again}` shows it again, `{stop}` pauses it")
        return
    row = ledger.study(study)
    any_more = "" if lease is None else " any more"
    say(f"{study} does not run{any_more}: {row.status}{_reason(row)}; see {beside('show', study)}")


def _is_silent(lease: Lease) -> bool:
    """Has the process that gave the study back said its last word, too? On another host nobody can tell."""
    return lease.host != socket.gethostname() or not lease.alive


def lease_of(row: StudyRow) -> Lease | None:
    """Returns the lease of the process that runs the study now; None where none does. Two of one start are equal."""
    lease = row.lease
    if lease is None or not lease.alive:
        return None
    return Lease(lease.pid, lease.host, lease.since, lease.since, lease.process_start, lease.since)


def _reason(row: StudyRow) -> str:
    return f" ({row.reason})" if row.reason and row.reason != row.status else ""
