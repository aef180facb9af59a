"""Moves a study to the trash of its home, and back: nothing is lost before somebody empties that folder."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.errors import InputMistake, NightsweepError
from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow, UnknownStudy
from orchestrator.ledger.rows import DELETED
from orchestrator.trial import Status


def is_deleted(row: StudyRow) -> bool:
    return DELETED in row.facts


def move_to_trash(ledger: Ledger, home: Home, name: str, now: float | None = None) -> StudyRow:
    """Takes the study out of all lists and its folder into the trash; returns its row as it is now.

    Every step can be repeated. Raises UnknownStudy, StudyInUse while it runs, NightsweepError.
    """
    row = ledger.study(name)
    ledger.acquire(row.id, os.getpid(), socket.gethostname())
    ledger.release(row.id, Status(row.status), row.reason)
    now = time.time() if now is None else now
    new = f"{name[:60]}.deleted-{time.strftime('%Y%m%d', time.localtime(now))}-{row.uid[:8]}"
    # The folder first: killed in between, the study is still there to be deleted once more.
    _move(home.study(name), home.trash(new))
    _rename(ledger, row, new, dict(row.facts) | {DELETED: {"name": name, "at": now}})
    return ledger.study(new)


def restore(ledger: Ledger, home: Home, name: str) -> StudyRow:
    """Brings back the study that had this name and was deleted last. Raises InputMistake, NightsweepError."""
    deleted = [row for row in ledger.studies() if is_deleted(row) and name in (row.name, row.facts[DELETED]["name"])]
    if not deleted:
        raise InputMistake(f"--restore: must be a study that was deleted, but {name!r} is none")
    row = max(deleted, key=lambda each: each.facts[DELETED]["at"])
    old = row.facts[DELETED]["name"]
    if any(other.name == old for other in ledger.studies()):
        raise InputMistake(f"--restore: must find its name free, but there is a study {old!r}; move it aside first")
    _move(home.trash(row.name), home.study(old))
    _rename(ledger, row, old, {key: fact for key, fact in row.facts.items() if key != DELETED})
    return ledger.study(old)


def _rename(ledger: Ledger, row: StudyRow, new: str, facts: Mapping[str, Any]) -> None:
    try:
        ledger.rename_study(row.name, new)
    except UnknownStudy:  # Another process was faster.
        return
    ledger.update_study(row.id, facts=dict(facts))


def _move(folder: Path, new: Path) -> None:
    """Moves a folder, where there is one and it has not been moved already."""
    if not folder.exists():
        return
    try:
        new.parent.mkdir(exist_ok=True)
        folder.rename(new)
    except OSError as error:
        raise NightsweepError(f"{folder}: must be moved to {new}, but: {error.strerror}; see what uses it") from error
