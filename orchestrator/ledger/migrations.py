"""Makes a ledger of an earlier version one of this version, by steps from one number to the next.

A step is never changed once ledgers may have taken it, so it stands by itself: its SQL names the tables as they were
then, whatever tables.py says of them today.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

VERSION = 6  # of the tables; a ledger of a later one is refused, one of an earlier one is brought up to it


def migrate(connection: sa.Connection, version: int) -> None:
    """Brings the tables from `version` to VERSION, within the transaction that it is given."""
    for earlier in range(version, VERSION):
        MIGRATIONS[earlier](connection)


def _what_a_changed_file_does(connection: sa.Connection) -> None:
    for column in ("origin", "left_out", "extended"):
        connection.execute(sa.text(f"ALTER TABLE trials ADD COLUMN {column} TEXT"))


def _control_state_in_columns(connection: sa.Connection) -> None:
    """Adds who paused a trial, what it is for, and what the facts (JSON) held of failures, GPUs and `--trials +N`."""
    double = "DOUBLE PRECISION" if connection.dialect.name == "postgresql" else "DOUBLE"
    for table, column in (
        ("studies", "more_asked INTEGER"),
        ("studies", "more_until INTEGER"),
        ("trials", "paused_by TEXT CHECK (paused_by IN ('session', 'policy'))"),
        ("trials", "role TEXT DEFAULT 'search' NOT NULL"),
        ("trials", "data TEXT"),
        ("trials", "accumulation_steps INTEGER"),
        ("attempts", "failure TEXT"),
        ("attempts", "epochs INTEGER"),
        ("attempts", f"gpus {double} DEFAULT 0 NOT NULL"),
    ):
        connection.execute(sa.text(f"ALTER TABLE {table} ADD COLUMN {column}"))
    connection.execute(sa.text("UPDATE trials SET paused_by = 'session' WHERE state = 'paused'"))
    reported = "SELECT coalesce(max(epoch), 0) FROM reports WHERE reports.trial_id = attempts.trial_id AND at <= ended"
    connection.execute(sa.text(f"UPDATE attempts SET epochs = ({reported}) WHERE ended IS NOT NULL"))
    for study, facts in connection.execute(sa.text("SELECT id, facts FROM studies")).all():
        _extension_of(connection, study, json.loads(facts))
    for trial, state, reason, facts in connection.execute(sa.text("SELECT id, state, reason, facts FROM trials")).all():
        _failures_of(connection, trial, reason if state == "failed" else None, json.loads(facts))


def _extension_of(connection: sa.Connection, study: int, facts: dict[str, Any]) -> None:
    if "extension" not in facts:
        return
    more = facts.pop("extension") or {"more": None, "trials": None}
    connection.execute(
        sa.text("UPDATE studies SET more_asked = :more, more_until = :trials, facts = :facts WHERE id = :study"),
        more | {"facts": json.dumps(facts, separators=(",", ":")), "study": study},
    )


_CLASSES = ("exception", "non-finite", "out of memory", "worker lost", "hang", "storage")


def _failures_of(connection: sa.Connection, trial: int, reason: str | None, facts: dict[str, Any]) -> None:
    """Gives each failure to the attempt that it ended.

    The facts count those after which the trial was tried again, by class (`retried`), and those since its last new
    epoch once more (`stuck`): these ended its last attempts. reason: of a trial that failed, `class: message`.
    """
    told = facts.keys() & {"retried", "stuck", "accumulation_steps", "gpus"}
    given = {name: facts.pop(name) for name in told}
    if told:
        text = json.dumps(facts, separators=(",", ":"))
        values = {"steps": given.get("accumulation_steps"), "facts": text, "trial": trial}
        connection.execute(
            sa.text("UPDATE trials SET accumulation_steps = :steps, facts = :facts WHERE id = :trial"), values
        )
        gpus = {"gpus": given.get("gpus", 0.0), "trial": trial}
        connection.execute(sa.text("UPDATE attempts SET gpus = :gpus WHERE trial_id = :trial"), gpus)
    rows = connection.execute(
        sa.text("SELECT number, outcome FROM attempts WHERE trial_id = :trial ORDER BY number DESC"), {"trial": trial}
    ).all()
    ended = (reason or "").partition(":")[0]
    if ended in _CLASSES and rows:
        _set_failure(connection, trial, rows[0].number, ended)
        rows = rows[1:]
    stuck, retried = dict(given.get("stuck", {})), Counter(given.get("retried", {}))
    epoch = stuck.pop("epoch", None)
    last = Counter(stuck) & retried
    kinds = [(kind, epoch) for kind in last.elements()] + [(kind, None) for kind in (retried - last).elements()]
    # A failure left its trial paused, or failed; interrupted only where the driver died in the middle of it.
    likely = [row.number for row in rows if row.outcome in ("paused", "failed")]
    likely += [row.number for row in rows if row.outcome not in ("paused", "failed")]
    for number, (kind, epochs) in zip(likely, kinds, strict=False):
        _set_failure(connection, trial, number, kind, epochs)


def _set_failure(connection: sa.Connection, trial: int, number: int, kind: str, epochs: int | None = None) -> None:
    words = {name.replace(" ", "_").replace("-", "_"): name for name in _CLASSES}
    connection.execute(
        sa.text(
            "UPDATE attempts SET failure = :kind, epochs = coalesce(:epochs, epochs)"
            " WHERE trial_id = :trial AND number = :number"
        ),
        {"kind": words.get(kind, kind), "epochs": epochs, "trial": trial, "number": number},
    )


def _steps(connection: sa.Connection) -> None:
    """Gives work that trains no trial tables of its own."""
    postgresql = connection.dialect.name == "postgresql"
    double, number = ("DOUBLE PRECISION", "SERIAL") if postgresql else ("DOUBLE", "INTEGER")
    connection.execute(
        sa.text(
            f"""CREATE TABLE steps (
                id {number} NOT NULL,
                study_id INTEGER NOT NULL,
                number INTEGER NOT NULL CHECK (number >= 1),
                kind TEXT NOT NULL,
                trial_id INTEGER NOT NULL,
                epoch INTEGER NOT NULL,
                state TEXT NOT NULL CHECK (state IN ('running', 'paused', 'completed', 'failed')),
                reason TEXT,
                error TEXT,
                result TEXT,
                facts TEXT NOT NULL,
                accumulation_steps INTEGER,
                attempts INTEGER NOT NULL CHECK (attempts >= 1),
                created {double} NOT NULL,
                ended {double},
                PRIMARY KEY (id),
                UNIQUE (study_id, number),
                FOREIGN KEY(study_id) REFERENCES studies (id),
                FOREIGN KEY(trial_id) REFERENCES trials (id)
            )"""
        )
    )
    connection.execute(
        sa.text(
            f"""CREATE TABLE step_attempts (
                step_id INTEGER NOT NULL,
                number INTEGER NOT NULL CHECK (number >= 1),
                started {double} NOT NULL,
                ended {double},
                outcome TEXT,
                failure TEXT,
                gpus {double} DEFAULT 0 NOT NULL,
                PRIMARY KEY (step_id, number),
                FOREIGN KEY(step_id) REFERENCES steps (id)
            )"""
        )
    )


def _seconds_of_sessions(connection: sa.Connection) -> None:
    """Counts how long a session lasted by a clock that nothing sets."""
    double = "DOUBLE PRECISION" if connection.dialect.name == "postgresql" else "DOUBLE"
    connection.execute(sa.text(f"ALTER TABLE sessions ADD COLUMN seconds {double}"))


def _requests_to_stop(connection: sa.Connection) -> None:
    double = "DOUBLE PRECISION" if connection.dialect.name == "postgresql" else "DOUBLE"
    connection.execute(sa.text(f"ALTER TABLE sessions ADD COLUMN stop_asked {double}"))


MIGRATIONS: Mapping[int, Callable[[sa.Connection], None]] = {
    1: _what_a_changed_file_does,
    2: _control_state_in_columns,
    3: _steps,
    4: _seconds_of_sessions,
    5: _requests_to_stop,
}
