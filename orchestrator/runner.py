"""Runs a study: opens it in the ledger, drives it on Ray until it is done or must stop, scores the winner.

Every start is a resume: what the ledger holds is taken as it is, whatever ended the last session.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import closing

from orchestrator.checkpoints.storage import storage_address
from orchestrator.cluster.session import work
from orchestrator.cluster.upkeep import Upkeep
from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.preflight import Start, check_before_start, collecting
from orchestrator.progress import Progress
from orchestrator.study.aside import finish_moving, move_aside
from orchestrator.study.budget import Deadline, Limits, deadline
from orchestrator.study.code_change import note_code
from orchestrator.study.continuation import adopt, fingerprint_of, open_study, with_limits
from orchestrator.study.copied_home import settle
from orchestrator.study.study import Study
from orchestrator.study.warm_start import COLD, warm_start
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.tracking import Tracker, default_uri
from orchestrator.tracking.store import is_embedded
from orchestrator.trial import Outcome, Status
from trainables import Finding, load_trainable

LEDGER_SECONDS = 600.0  # to wait for a ledger whose server went away
WATCH_SECONDS = 7.0  # in which a driver that lives gives a sign of it


def run(
    spec: StudySpec,
    home: Home,
    progress: Progress,
    *,
    limits: Limits,
    address: str | None = None,
    file: str = "",
    fresh: bool = False,
    skip_preflight: bool = False,
    say: Callable[[str], None] = print,
    checked: Callable[[Finding], None] = lambda finding: None,
) -> Outcome:
    """Runs `spec` until its budget is used up or it must stop. Raises InputMistake, StudyInUse, LedgerError.

    file: the study file, as it was typed. fresh: moves a study of that name aside first. say: is told what happens
    before anything is shown by `progress`. checked: is told of each check before the first trial as it ends.
    """
    typed = time.time()  # A time of day means the next one from here on, however long the checks take.
    trainable = load_trainable(spec.trainable)
    wrong: list[str] = []
    fingerprint = collecting(wrong, lambda: fingerprint_of(trainable, spec, file))
    moved = finish_moving(home, spec.study)  # which a start before this one was killed in
    warm = collecting(wrong, lambda: warm_start(home, spec, trainable, file)) or COLD
    start = Start(spec, home, file, fresh, address, limits)
    told = check_before_start(start, skip=skip_preflight, say=say, checked=checked, mistakes=wrong)
    moved = (move_aside(home, spec.study) if fresh else None) or moved
    if moved is not None:
        say(f"{spec.study}: the old study is now {moved}")
    with closing(Ledger(home.ledger, patience=LEDGER_SECONDS, say=progress.say)) as ledger:
        row = open_study(ledger, spec, trainable, fingerprint, file)
        stale = ledger.acquire(row.id, os.getpid(), socket.gethostname(), WATCH_SECONDS)
        status, reason = Status(row.status), row.reason  # as it stays where this start comes to nothing
        study: Study | None = None
        tracker: Tracker | None = None
        try:
            if stale is not None:
                who = f"process {stale.pid} on {stale.host}"
                progress.say(f"{row.name}: its last driver ({who}) is gone; going on from its ledger")
            row, news = adopt(ledger, row, spec, trainable)
            row, changed = note_code(ledger, row, trainable)
            uri = default_uri(home.path, spec.tracking.uri)
            row, copied = settle(ledger, row, home, tracked_elsewhere=not is_embedded(uri, home.path))
            for line in [*([] if told else news), *changed, *copied, *warm.news]:
                progress.say(line)
            spec = with_limits(spec, limits, ledger, row)
            status, reason = Status.INTERRUPTED, None
            study = Study(
                spec,
                trainable,
                ledger,
                row.id,
                home.study(row.name),
                concurrency=1,
                warm=warm,
                storage=storage_address(row.raw, row.uid),
                on_event=progress.event,
            )
            study.begin()
            tracker = Tracker(home.ledger, row.id, uri, home.path, warn=progress.say)
            limit = _deadline_of(spec, row, limits, study.now(), typed)
            left = limit.left(study.now(), time.time())
            study.allowance.ends = study.now() + left
            if left <= 0 and not study.finished:  # Where nothing is to run, nothing came too late.
                used_up = spec.budget.hours is not None and row.seconds >= 3600 * spec.budget.hours
                study.stop("no hours are left in the budget" if used_up else "the deadline came before any trial ran")
            work(study, Upkeep(ledger, row.id, study, progress, limit), address, progress)
            status, reason = study.outcome
            if status in (Status.FINISHED, Status.FAILED):
                ledger.want_more(row.id, None)
            return Outcome(status, study.attempts_started, row.name)
        except KeyboardInterrupt:
            return Outcome(Status.INTERRUPTED, study.attempts_started if study else 0, row.name)
        finally:
            try:
                progress.end()
                ledger.release(row.id, status, reason)
            finally:
                if tracker is not None:
                    tracker.close()


def _deadline_of(spec: StudySpec, row: StudyRow, limits: Limits, now: float, typed: float) -> Deadline:
    """Returns when this session must end. now: the steady clock's. typed: unix time of the command."""
    until = limits.until or spec.budget.until
    hours = spec.budget.hours
    return deadline(now, typed, hours_in_all=hours, seconds_used=row.seconds, hours=limits.hours, until=until)
