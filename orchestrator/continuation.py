"""What a start makes of the study that the ledger holds: goes on with it, refuses a changed file, or moves it aside."""

from __future__ import annotations

import os
import socket
from typing import Any

from orchestrator import provenance
from orchestrator.budget import Limits
from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow, UnknownStudy
from orchestrator.mistakes import InputMistake
from orchestrator.outcome import Status
from orchestrator.study_file.study_spec import StudySpec
from trainables import Trainable

MAY_CHANGE = ("budget", "resources", "tracking", "baselines")  # between two sessions of one study


def _facts(fingerprint: str | None, file: str) -> dict[str, Any]:
    """Where a study comes from; asked for once, because git and the GPU driver are asked too."""
    return provenance.facts() | {"data_fingerprint": fingerprint, "file": file}


def known(home: Home, name: str) -> bool:
    """Is there a study of that name? Creates nothing."""
    return home.has_ledger and name in [row.name for row in Ledger(home.ledger).studies()]


def open_study(ledger: Ledger, spec: StudySpec, fingerprint: str | None, file: str) -> StudyRow:
    """The study's row, made if it is new. Raises InputMistake if the file now asks for another study of that name."""
    try:
        row = ledger.study(spec.study)
    except UnknownStudy:
        return ledger.create_study(spec.study, spec.raw, spec.objective.objective, _facts(fingerprint, file))
    if row.objective == spec.objective.objective and not ledger.trials(row.id, reports=False):
        ledger.update_study(row.id, facts=_facts(fingerprint, file))  # no trial hangs on what it was begun with
        return row
    changed = [key for key in sorted(row.raw.keys() | spec.raw.keys()) if row.raw.get(key) != spec.raw.get(key)]
    forbidden = [key for key in changed if key not in MAY_CHANGE]
    if forbidden:
        raise InputMistake(
            *(
                f"{file or spec.study}: {key}: must be what study {row.name!r} was begun with, but differs; "
                "give the changed study another --name, or move the old one aside with --fresh"
                for key in forbidden
            )
        )
    if fingerprint != row.facts.get("data_fingerprint"):
        raise InputMistake(
            f"{file or spec.study}: data: must be what study {row.name!r} was begun with, so that trials compare, "
            f"but the fingerprint was {row.facts.get('data_fingerprint')} and is {fingerprint}; "
            "restore them, or begin anew with --fresh or another --name"
        )
    return row


def move_aside(home: Home, name: str) -> str | None:
    """Rename the study and its folder, so that a new one can take its name; the new name, or None without such a study.

    Raises StudyHeld while a driver runs it.
    """
    if not home.has_ledger:
        return None
    ledger = Ledger(home.ledger)
    try:
        row = ledger.study(name)
    except UnknownStudy:
        return None
    ledger.acquire(row.id, os.getpid(), socket.gethostname())
    ledger.release(row.id, Status(row.status), row.reason)
    taken = {other.name for other in ledger.studies()}
    new = next(f"{name}.{n}" for n in range(1, len(taken) + 2) if f"{name}.{n}" not in taken)
    if home.study(name).exists():
        home.study(name).rename(home.study(new))
    ledger.rename_study(name, new)
    return new


def fingerprint_of(trainable: Trainable, spec: StudySpec, file: str) -> str | None:
    """Changes when the data do. Raises InputMistake where they cannot be read."""
    try:
        return None if trainable.fingerprint is None else trainable.fingerprint(spec.data)
    except (ValueError, OSError) as error:
        raise InputMistake(*(f"{file or spec.study}: {line}" for line in str(error).splitlines())) from error


def with_limits(spec: StudySpec, limits: Limits, ledger: Ledger, row: StudyRow) -> StudySpec:
    """The spec with this session's number of trials.

    `+N` is kept in the ledger until it is reached, so that the same command after an interruption goes on to the same
    number instead of adding N again.
    """
    extension = row.facts.get("extension")
    if limits.trials is not None:
        trials: int | None = limits.trials
    elif limits.more_trials is not None and (extension is None or extension["more"] != limits.more_trials):
        existing = len(ledger.trials(row.id, reports=False))
        # A study cut short is first owed what its file asks for.
        owed = existing if row.status == Status.FINISHED else max(existing, spec.budget.trials or 0)
        trials = owed + limits.more_trials
        ledger.update_study(row.id, facts=row.facts | {"extension": {"more": limits.more_trials, "trials": trials}})
    elif extension is not None:
        trials = extension["trials"]
    else:
        return spec
    return spec.model_copy(update={"budget": spec.budget.model_copy(update={"trials": trials})})
