"""Moves a study aside for `--fresh`: its name in the ledger and its folder, so that a crash between the two is mended.

A mark in the folder says what it is to be called and whose it is. The ledger comes first; then the folder follows, in
the same start or, after a crash, in the next one of the old name.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import closing
from pathlib import Path

from orchestrator.errors import NightsweepError
from orchestrator.home import Home
from orchestrator.ledger import Ledger, UnknownStudy
from orchestrator.trial import Status

_MARK = ".moving-aside.json"


def move_aside(home: Home, name: str) -> str | None:
    """Renames the study and its folder, so that a new one can take its name.

    Returns the new name, or None without such a study. Every step can be repeated. Raises StudyInUse while it runs.
    """
    if not home.has_ledger:
        return None
    with closing(Ledger(home.ledger)) as ledger:
        try:
            row = ledger.study(name)
        except UnknownStudy:
            return None
        ledger.acquire(row.id, os.getpid(), socket.gethostname())
        ledger.release(row.id, Status(row.status), row.reason)
        folder = home.study(name)
        new = _free_name(home, name, {other.name for other in ledger.studies()}, folder.exists())
        if folder.exists():
            (folder / _MARK).write_text(json.dumps({"uid": row.uid, "new": new}))
        ledger.rename_study(name, new)
    finish_moving(home, name)
    return new


def finish_moving(home: Home, name: str) -> str | None:
    """Lets the folder of this name follow its study, which is called otherwise by now; returns the study's name.

    None where there is nothing to be done, because no start was killed while it moved a study aside.
    """
    mark = home.study(name) / _MARK
    try:
        noted = json.loads(mark.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):  # half a mark: the ledger has not been changed yet
        return None
    with closing(Ledger(home.ledger)) as ledger:
        names = [row.name for row in ledger.studies() if row.uid == noted["uid"]]
    new = None if names in ([], [name]) else names[0]
    if new is not None:
        _rename(home.study(name), home.study(new))
        mark = home.study(new) / _MARK
    mark.unlink(missing_ok=True)
    return new


def _free_name(home: Home, name: str, taken: set[str], has_folder: bool) -> str:
    """Returns the first of name.1, name.2, ... that no study has, nor any folder where the study's is to be moved."""
    number = 1
    while f"{name}.{number}" in taken or (has_folder and home.study(f"{name}.{number}").exists()):
        number += 1
    return f"{name}.{number}"


def _rename(folder: Path, new: Path) -> None:
    try:
        folder.rename(new)
    except OSError as error:
        raise NightsweepError(
            f"{folder}: must be moved to {new.name}, as its study is called now, but: {error.strerror}; "
            "move it yourself, or see what uses it, and start again"
        ) from error
