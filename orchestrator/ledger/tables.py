"""Defines the ledger's tables, and the statements that read them."""

from __future__ import annotations

import functools
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from orchestrator.trial import PausedBy, Role, State

STATUSES = ("running", "paused", "finished", "interrupted", "failed")


def _one_of(column: str, words: tuple[str, ...]) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({', '.join(repr(str(word)) for word in words)})")


_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # only INTEGER counts itself up in SQLite
_STEP_STATES = (State.RUNNING, State.PAUSED, State.COMPLETED, State.FAILED)
metadata = sa.MetaData()

schema = sa.Table("nightsweep_schema", metadata, sa.Column("version", sa.Integer, nullable=False))

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uid", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("raw", sa.Text, nullable=False),  # JSON
    sa.Column("metric", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, _one_of("mode", ("max", "min")), nullable=False),
    sa.Column("status", sa.Text, _one_of("status", STATUSES), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),  # JSON
    sa.Column("session_id", sa.Integer),  # of the lease; null when nobody runs the study
    sa.Column("mlflow_store", sa.Text),  # a digest of its address: what is known of MLflow holds for that store only
    sa.Column("mlflow_sender", sa.Text),  # JSON: the process that brings MLflow up to date just now
    sa.Column("mlflow_seen", sa.Text),  # a digest of what the study's own run was last told
    sa.Column("mlflow_experiment_id", sa.Text),
    sa.Column("mlflow_run_id", sa.Text),
    sa.Column("more_asked", sa.Integer),  # N of `--trials +N`, until it is reached
    sa.Column("more_until", sa.Integer),  # the trials in all that this makes
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.id"), nullable=False, index=True),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("process_start", sa.Double),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("beat", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("end_reason", sa.Text),
    sa.Column("seconds", sa.Double),  # until `beat`, by a clock that nothing sets; null in ledgers of earlier versions
    sa.Column("stop_asked", sa.Double),  # when somebody on another host asked its process to pause the study
    sa.CheckConstraint("beat >= started"),
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.id"), nullable=False),
    sa.Column("number", sa.Integer, sa.CheckConstraint("number >= 1"), nullable=False),
    sa.Column("config", sa.Text, nullable=False),  # JSON
    sa.Column("config_digest", sa.Text, nullable=False),
    sa.Column("baseline", sa.Text),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, _one_of("state", tuple(State)), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("test", sa.Text),  # JSON
    sa.Column("facts", sa.Text, nullable=False),  # JSON
    sa.Column("attempts", sa.Integer, sa.CheckConstraint("attempts >= 1"), nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("revision", sa.Integer, nullable=False),  # counts every write to the trial or its reports
    sa.Column("mlflow_run_id", sa.Text),
    sa.Column("mlflow_unsure", sa.Integer, sa.CheckConstraint("mlflow_unsure IN (0, 1)"), nullable=False),
    sa.Column("mlflow_revision", sa.Integer, nullable=False),  # what MLflow has seen of it
    sa.Column("mlflow_status", sa.Text),
    sa.Column("origin", sa.Text),  # OTHER/7: the trial of another study that the config was taken from
    sa.Column("left_out", sa.Text),  # why it does not count while the study file is as it is
    sa.Column("extended", sa.Text),  # JSON: [[after, limit, new limit], ...]
    sa.Column("paused_by", sa.Text, _one_of("paused_by", tuple(PausedBy))),  # null unless it is paused
    sa.Column("role", sa.Text, nullable=False, server_default=Role.SEARCH.value),
    sa.Column("data", sa.Text),  # JSON: its own, in place of the study's
    sa.Column("accumulation_steps", sa.Integer),  # in place of its config's, once memory ran out
    sa.UniqueConstraint("study_id", "number"),
    sa.UniqueConstraint("study_id", "config_digest", "seed"),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("trial_id", sa.ForeignKey("trials.id"), primary_key=True),
    sa.Column("number", sa.Integer, sa.CheckConstraint("number >= 1"), primary_key=True),
    sa.Column("from_epoch", sa.Integer, sa.CheckConstraint("from_epoch >= 0"), nullable=False),  # 0: from the beginning
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("outcome", sa.Text, _one_of("outcome", (*(s for s in State if s is not State.RUNNING), "interrupted"))),
    sa.Column("failure", sa.Text),  # its class, if it ended by one
    sa.Column("epochs", sa.Integer),  # that the trial had when it ended
    sa.Column("gpus", sa.Double, nullable=False, server_default=sa.text("0")),  # that it took
)

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("sequence", _BIG, primary_key=True),
    sa.Column("trial_id", sa.ForeignKey("trials.id"), nullable=False),
    sa.Column("epoch", sa.Integer, sa.CheckConstraint("epoch >= 1"), nullable=False),
    sa.Column("metrics", sa.Text, nullable=False),  # JSON, with NaN and Infinity
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("checkpoint", sa.Integer, sa.CheckConstraint("checkpoint IN (0, 1)"), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),  # the trial's, when this was written
    sa.UniqueConstraint("trial_id", "epoch"),
)


steps = sa.Table(
    "steps",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.id"), nullable=False),
    sa.Column("number", sa.Integer, sa.CheckConstraint("number >= 1"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("trial_id", sa.ForeignKey("trials.id"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),  # of the trial's checkpoint that it works with
    sa.Column("state", sa.Text, _one_of("state", _STEP_STATES), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("result", sa.Text),  # JSON
    sa.Column("facts", sa.Text, nullable=False),  # JSON
    sa.Column("accumulation_steps", sa.Integer),
    sa.Column("attempts", sa.Integer, sa.CheckConstraint("attempts >= 1"), nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.UniqueConstraint("study_id", "number"),
)

step_attempts = sa.Table(
    "step_attempts",
    metadata,
    sa.Column("step_id", sa.ForeignKey("steps.id"), primary_key=True),
    sa.Column("number", sa.Integer, sa.CheckConstraint("number >= 1"), primary_key=True),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("outcome", sa.Text),
    sa.Column("failure", sa.Text),  # its class, if it ended by one
    sa.Column("gpus", sa.Double, nullable=False, server_default=sa.text("0")),  # that it took
)


class unix_now(GenericFunction[float]):
    """Returns the unix time by the database's clock, now and not at the beginning of the transaction."""

    type = sa.Double()
    inherit_cache = True


@compiles(unix_now, "postgresql")
def _postgresql_now(element: unix_now, compiler: Any, **named: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


@compiles(unix_now, "sqlite")
def _sqlite_now(element: unix_now, compiler: Any, **named: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"  # to the millisecond


# Statements. What follows the first columns is read by rows.

_LASTED = sa.func.coalesce(
    sessions.c.seconds, sessions.c.ended - sessions.c.started, sessions.c.beat - sessions.c.started
)
LAST_SIGN = sessions.c.started + _LASTED  # as the session's driver counts time, whatever set the clock
_TIME = (
    sa.select(
        sessions.c.study_id,
        sa.func.sum(_LASTED).label("seconds"),
        sa.func.max(sessions.c.beat).label("active"),
        sa.func.max(LAST_SIGN).label("counted_until"),
    )
    .group_by(sessions.c.study_id)
    .subquery()
)
_HOLDER = [sessions.c[name] for name in ("pid", "host", "started", "beat", "process_start")]
_TRIAL = ["number", "config", "state", "reason", "error", "baseline", "seed", "test", "mlflow_run_id"]
_TRIAL += ["attempts", "created", "ended", "facts", "origin", "left_out", "extended"]
_TRIAL += ["paused_by", "role", "data", "accumulation_steps"]
_ATTEMPT = ["number", "from_epoch", "started", "ended", "outcome", "failure", "epochs", "gpus"]
_REPORT = [reports.c[name] for name in ("epoch", "metrics", "seconds", "at", "checkpoint")]

STUDIES = (
    sa.select(
        studies,
        *_HOLDER,
        sessions.c.seconds.label("lease_seconds"),
        _TIME.c.seconds,
        _TIME.c.active,
        _TIME.c.counted_until,
        unix_now().label("now"),
    )
    .outerjoin(sessions, sessions.c.id == studies.c.session_id)
    .outerjoin(_TIME, _TIME.c.study_id == studies.c.id)
)
TRIALS = sa.select(*(trials.c[name] for name in _TRIAL)).order_by(trials.c.number)
REPORTS = sa.select(trials.c.number, *_REPORT).join(trials).order_by(trials.c.number, reports.c.epoch)
HISTORY = sa.select(trials.c.number, *_REPORT, reports.c.sequence).join(trials).order_by(reports.c.sequence)
ATTEMPTS = sa.select(*(attempts.c[name] for name in _ATTEMPT)).join(trials).order_by(attempts.c.number)
LOCK = sa.select(studies.c.session_id).where(studies.c.id == sa.bindparam("study")).with_for_update()
LAST_NUMBER = sa.select(sa.func.max(trials.c.number)).where(trials.c.study_id == sa.bindparam("study"))
SAME_CONFIG = sa.select(trials.c.number, trials.c.created).where(
    trials.c.study_id == sa.bindparam("study"),
    trials.c.config_digest == sa.bindparam("digest"),
    trials.c.seed == sa.bindparam("seed"),
)
FAILURES = (
    sa.select(trials.c.number, attempts.c.failure, attempts.c.epochs)
    .join(trials)
    .where(attempts.c.failure.is_not(None))
    .order_by(trials.c.number, attempts.c.number)
)


def _gpu_seconds(of: sa.Table, owner: sa.Table) -> sa.Select[Any]:
    until = sa.func.coalesce(of.c.ended, sa.bindparam("until"), of.c.started)
    took = sa.case((of.c.started < until, until - of.c.started), else_=0.0)
    return sa.select(sa.func.sum(took * of.c.gpus)).join(owner).where(owner.c.study_id == sa.bindparam("study"))


GPU_SECONDS = (_gpu_seconds(attempts, trials), _gpu_seconds(step_attempts, steps))
NEW_TRIAL = trials.insert().returning(trials.c.id)
NEW_ATTEMPT = attempts.insert()
_EPOCHS = (
    sa.select(sa.func.coalesce(sa.func.max(reports.c.epoch), 0))
    .where(reports.c.trial_id == attempts.c.trial_id)
    .scalar_subquery()
)
_END = (
    attempts.update()
    .where(attempts.c.ended.is_(None))
    .values(outcome=sa.bindparam("how"), ended=sa.bindparam("at"), failure=sa.bindparam("failure"), epochs=_EPOCHS)
)
END_ATTEMPTS = _END.where(attempts.c.trial_id == sa.bindparam("trial"))
END_STUDYS_ATTEMPTS = _END.where(
    attempts.c.trial_id.in_(sa.select(trials.c.id).where(trials.c.study_id == sa.bindparam("study")))
)

_END_STEP = (
    step_attempts.update()
    .where(step_attempts.c.ended.is_(None))
    .values(outcome=sa.bindparam("how"), ended=sa.bindparam("at"), failure=sa.bindparam("failure"))
)
END_STEP_ATTEMPTS = _END_STEP.where(step_attempts.c.step_id == sa.bindparam("step"))
END_STUDYS_STEP_ATTEMPTS = _END_STEP.where(
    step_attempts.c.step_id.in_(sa.select(steps.c.id).where(steps.c.study_id == sa.bindparam("study")))
)

# The study's id if this session holds it. Who takes the study over waits until our transaction has ended.
LEASED = (
    sa.select(studies.c.id)
    .where(studies.c.id == sa.bindparam("study"), studies.c.session_id == sa.bindparam("session"))
    .with_for_update(read=True, key_share=True)
)


def next_revision(*, held: bool) -> sa.Update:
    """Raises a trial's revision. held: only while the session has the study's lease."""
    study = LEASED.scalar_subquery() if held else sa.bindparam("study")
    return (
        trials.update()
        .where(trials.c.study_id == study, trials.c.number == sa.bindparam("trial"))
        .values(revision=trials.c.revision + 1)
        .returning(trials.c.id, trials.c.revision)
    )


@functools.cache
def change_trial(columns: tuple[str, ...]) -> sa.Update:
    """Sets these columns of a trial, and counts `more_attempts`. Made once: to make it costs more than to do it."""
    values: dict[str, Any] = {name: sa.bindparam(name) for name in columns}
    return (
        trials.update()
        .where(trials.c.study_id == sa.bindparam("study"), trials.c.number == sa.bindparam("trial"))
        .values(revision=trials.c.revision + 1, attempts=trials.c.attempts + sa.bindparam("more_attempts"), **values)
        .returning(trials.c.id)
    )


def keep_report(dialect: str) -> sqlite.Insert | postgresql.Insert:
    """Inserts a report, or puts it in the place of the one of the same epoch."""
    statement = sqlite.insert(reports) if dialect == "sqlite" else postgresql.insert(reports)
    replaced = {name: statement.excluded[name] for name in ("metrics", "seconds", "at", "checkpoint", "revision")}
    return statement.on_conflict_do_update(index_elements=["trial_id", "epoch"], set_=replaced)
