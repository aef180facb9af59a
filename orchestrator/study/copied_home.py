"""Tells a home that was copied from one that was moved: the copy's studies must not write where the first one's do."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.ledger.other_ledger import holds_study
from orchestrator.secret import mask


def settle(ledger: Ledger, row: StudyRow, home: Home, *, tracked_elsewhere: bool) -> tuple[StudyRow, list[str]]:
    """Keeps with the study in which home it lies; returns it, and what to tell the user. The study must be held.

    tracked_elsewhere: its runs go to an MLflow outside of the home. There, and in a storage for checkpoints, a study is
    known by its uid, which a copy of a home has too: the copy gets another one. A home that was moved keeps it.
    """
    if home.shared is not None:  # Each member of a team has a home, and all of them one ledger.
        return row, []
    known, here = row.facts.get("home"), str(home.path)
    if known == here:
        return row, []
    news = []
    storage = row.raw.get("storage")
    elsewhere = tracked_elsewhere or storage is not None
    if known is not None and elsewhere and _is_there(Path(known), home.path, row.uid):
        ledger.marks.become_another(row.id)
        places = ["runs in MLflow"] * tracked_elsewhere
        places += [] if storage is None else [f"checkpoints at {mask(storage)}"]
        news.append(
            f"{row.name}: this home is a copy of {known}, whose {' and '.join(places)} stay as they are; "
            "the study has its own from now on" + ("" if storage is None else "; what is unfinished begins anew")
        )
    ledger.update_study(row.id, facts=row.facts | {"home": here})
    return ledger.study_of(row.id), news


def _is_there(known: Path, here: Path, uid: str) -> bool:
    """Returns whether the study is still in the home that it was in, and that is another folder than this one."""
    try:
        return not os.path.samefile(known, here) and holds_study(known / "ledger.db", uid)
    except OSError:
        return False
