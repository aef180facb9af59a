"""Holds the ledger's nouns, and makes them from its rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.job import FailureClass
from orchestrator.ledger.lease import Lease
from orchestrator.trial import Extension, FailedAttempt, Objective, PausedBy, Report, Role, State, Trial

ROWS_AT_ONCE = 1000
DELETED = "deleted"  # in a study's facts: the name that it had, and when it was deleted


@dataclass(frozen=True, slots=True)
class MoreTrials:
    """Holds what `--trials +N` asked for: `asked` is N, `until` the number of trials in all that this makes."""

    asked: int
    until: int


@dataclass(frozen=True, slots=True)
class StudyRow:
    """Holds one study. raw: its resolved file. uid: survives renames. seconds: wall time of all its sessions.

    active: unix time of its driver's last sign of life; None before its first session. counted_until: the same as the
    driver counted time, whatever set the clock: for what had not ended then.
    """

    id: int
    uid: str
    name: str
    raw: dict[str, Any]
    objective: Objective
    status: str  # running, paused, finished, interrupted (also: held by a process that is gone), failed
    reason: str | None
    created: float  # unix time
    facts: dict[str, Any]
    seconds: float
    active: float | None
    counted_until: float | None
    lease: Lease | None  # None when nobody runs it; a dead one until the next start
    mlflow_experiment_id: str | None
    mlflow_run_id: str | None
    more: MoreTrials | None = None  # until they are there


@dataclass(frozen=True, slots=True)
class Attempt:
    """Holds one run of a trial. from_epoch: of the checkpoint that it began with; 0 without one. Times are unix times.

    epochs: that the trial had when it ended; None while it runs. gpus: that it took.
    """

    number: int
    from_epoch: int
    started: float
    ended: float | None
    outcome: str | None  # a state other than running, or "interrupted" when its driver died; None while it runs
    failure: FailureClass | None = None
    epochs: int | None = None
    gpus: float = 0.0


# From rows


def study_row(row: Any) -> StudyRow:
    lease = None
    if row.session_id is not None:
        lease = Lease(row.pid, row.host, row.started, row.beat, row.process_start, row.lease_seconds, row.now)
    died = lease is not None and not lease.alive
    return StudyRow(
        id=row.id,
        uid=row.uid,
        name=row.name,
        raw=from_json(row.raw),
        objective=Objective(row.metric, row.mode),
        status="interrupted" if died else row.status,
        reason=row.reason,
        created=row.created,
        facts=from_json(row.facts),
        seconds=max(0.0, row.seconds or 0.0),
        active=row.active,
        counted_until=row.counted_until,
        lease=lease,
        mlflow_experiment_id=row.mlflow_experiment_id,
        mlflow_run_id=row.mlflow_run_id,
        more=None if row.more_asked is None else MoreTrials(row.more_asked, row.more_until),
    )


def attempt_of(row: Any) -> Attempt:
    number, from_epoch, started, ended, outcome, failure, epochs, gpus = row
    kind = None if failure is None else FailureClass(failure)
    return Attempt(number, from_epoch, started, ended, outcome, kind, epochs, gpus)


def failures_by_trial(rows: Iterable[Any]) -> dict[int, tuple[FailedAttempt, ...]]:
    """Counts failures. rows: of trial number, class of failure, epochs, by attempt."""
    found: dict[int, tuple[FailedAttempt, ...]] = {}
    for number, kind, epochs in rows:
        found[number] = (*found.get(number, ()), FailedAttempt(FailureClass(kind), epochs))
    return found


def trial_of(row: Any, reports: tuple[Report, ...] = (), failures: tuple[FailedAttempt, ...] = ()) -> Trial:
    state = State(row.state)
    return Trial(
        number=row.number,
        config=from_json(row.config),
        state=state,
        reason=row.reason,
        error=row.error,
        baseline=row.baseline,
        seed=row.seed,
        reports=reports,
        test=None if row.test is None else from_json(row.test),
        mlflow_run_id=row.mlflow_run_id,
        attempts=row.attempts,
        created=row.created,
        ended=row.ended,
        facts=from_json(row.facts),
        origin=row.origin,
        left_out=row.left_out,
        extended=tuple(Extension(*numbers) for numbers in from_json(row.extended or "[]")),
        paused_by=PausedBy(row.paused_by or PausedBy.SESSION) if state is State.PAUSED else None,
        role=Role(row.role),
        data=None if row.data is None else from_json(row.data),
        accumulation_steps=row.accumulation_steps,
        failures=failures,
    )


def reports_by_trial(parts: Iterable[Sequence[Any]]) -> dict[int, list[Report]]:
    """Makes reports. parts: rows of number, epoch, metrics, seconds, at, checkpoint, ordered by number; many."""
    found: dict[int, list[Report]] = {}
    last = 0
    for rows in parts:
        for (number, epoch, _, seconds, at, checkpoint), metrics in zip(rows, _metrics(rows), strict=True):
            if number != last:
                found[number] = reports = []
                last = number
            reports.append(Report(epoch, metrics, seconds, at, checkpoint == 1))
    return found


def history(parts: Iterable[Sequence[Any]]) -> list[tuple[int, int, Report]]:
    """Returns (sequence, number, report). parts: rows as above, with the sequence last."""
    return [
        (sequence, number, Report(epoch, metrics, seconds, at, checkpoint == 1))
        for rows in parts
        for (number, epoch, _, seconds, at, checkpoint, sequence), metrics in zip(rows, _metrics(rows), strict=True)
    ]


def _metrics(rows: Sequence[Any]) -> list[dict[str, float]]:
    """Parses them as one text: in parts of a thousand rows that takes six tenths of the time of one by one."""
    return json.loads(f"[{','.join([row[2] for row in rows])}]")


# To text and back


def metrics_json(metrics: Mapping[str, float]) -> str:
    return json.dumps({name: float(value) for name, value in metrics.items()})  # NaN and Infinity as they are


def to_json(value: Any) -> str:
    """Returns ASCII text that from_json reads back equal, but tuples as lists. Takes NumPy's numbers too."""
    return json.dumps(_plain(value), separators=(",", ":"), default=_item)


def from_json(text: str) -> Any:
    return json.loads(text, object_hook=_unpaired if '"$pairs"' in text else None)


def storable(text: str | None) -> str | None:
    """Returns text that both databases take: no NUL, no halves of characters."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def _plain(value: Any) -> Any:
    """Writes {1: 640, 5: 960} as pairs: JSON would turn the keys into text."""
    if isinstance(value, Mapping):
        plain = {key: _plain(part) for key, part in value.items()}
        return (
            plain if all(isinstance(key, str) for key in plain) else {"$pairs": [list(pair) for pair in plain.items()]}
        )
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _unpaired(value: dict[str, Any]) -> dict[Any, Any]:
    return dict(value["$pairs"]) if value.keys() == {"$pairs"} else value


def _item(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a ledger holds text, numbers, true, false, null, lists and mappings, but got {value!r}")
