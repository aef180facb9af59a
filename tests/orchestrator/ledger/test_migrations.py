"""A ledger that an earlier version wrote: it gets the tables of this one, loses nothing, and its studies go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from orchestrator.job import FailureClass
from orchestrator.ledger import Ledger, MoreTrials
from orchestrator.study.continuation import adopt
from orchestrator.study.study import Study
from orchestrator.study_file.study_spec import load_study
from orchestrator.trial import FailedAttempt, Objective, PausedBy, Role, State, Status
from tests.harness.command import Tune, ended, shown
from tests.harness.fake_cluster import finish
from trainables import load_trainable

HERE = Path(__file__).parent
TOY = HERE / "toy_v2.yaml"


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url.replace("://", "+psycopg2://") if "://" in url else f"sqlite:///{url}")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def make_version_1(url: str) -> None:
    """An empty ledger as version 1 made it."""
    if "://" not in url:
        Path(url).parent.mkdir(parents=True)
    dialect = "postgresql" if "://" in url else "sqlite"
    with connected(url) as connection:
        for statement in (HERE / f"{dialect}_v1.sql").read_text().split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        connection.exec_driver_sql("INSERT INTO nightsweep_schema VALUES (1)")


def tables_of(url: str) -> dict[str, list[str]]:
    """Each table's columns and constraints in words that do not depend on their order."""
    with connected(url) as connection:
        if connection.dialect.name == "sqlite":
            rows = connection.exec_driver_sql("SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL")
            found: dict[str, list[str]] = {}
            for table, text in rows:
                found.setdefault(table, []).extend(_parts(text))
            return {table: sorted(parts) for table, parts in found.items()}
        columns = connection.exec_driver_sql(
            "SELECT table_name, column_name || ' ' || data_type || ' ' || is_nullable || ' '"
            " || regexp_replace(coalesce(column_default, ''), '''.*''', '') FROM information_schema.columns"
            " WHERE table_schema = current_schema()"
        ).all()
        constraints = connection.exec_driver_sql(
            "SELECT conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = current_schema()::regnamespace"
        ).all()
        found = {}
        for table, text in [*columns, *constraints]:
            found.setdefault(table, []).append(text)
        return {table: sorted(parts) for table, parts in found.items()}


def _parts(text: str) -> Iterator[str]:
    """What a CREATE statement of SQLite lists between its outer parentheses."""
    depth, part = 0, ""
    for letter in text[text.index("(") + 1 : text.rindex(")")]:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            yield " ".join(part.split())
            part = ""
        else:
            part += letter
    yield " ".join(part.split())


def test_a_migrated_ledger_has_the_tables_of_a_new_one(ledger_url: str):
    make_version_1(ledger_url)
    Ledger(ledger_url).close()
    migrated = tables_of(ledger_url)
    with connected(ledger_url) as connection:  # a new one in its place
        for table in (
            "step_attempts",
            "steps",
            "reports",
            "attempts",
            "trials",
            "sessions",
            "studies",
            "nightsweep_schema",
        ):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    if "://" not in ledger_url:
        shutil.rmtree(Path(ledger_url).parent)
    Ledger(ledger_url).close()
    assert migrated == tables_of(ledger_url)
    assert migrated.keys() >= {"studies", "sessions", "trials", "attempts", "reports", "steps", "step_attempts"}


def put(connection: sa.Connection, table: str, **values: Any) -> None:
    names = ", ".join(values)
    given = ", ".join(f":{name}" for name in values)
    connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({given})"), values)


def put_trial(connection: sa.Connection, number: int, state: str, facts: dict[str, Any], **values: Any) -> None:
    """A trial of version 1, whose id is its number."""
    always = {"study_id": 1, "config": "{}", "config_digest": str(number), "seed": 0, "created": 1.0, "revision": 1}
    always |= {"mlflow_unsure": 0, "mlflow_revision": 0, "attempts": 1}
    put(connection, "trials", id=number, number=number, state=state, facts=json.dumps(facts), **always | values)


def put_attempts(connection: sa.Connection, trial: int, *outcomes: str | None) -> None:
    """Each takes a hundred seconds, and two reports came in each."""
    for number, outcome in enumerate(outcomes, 1):
        began = 100.0 * number
        end = None if outcome is None else began + 100
        put(
            connection,
            "attempts",
            trial_id=trial,
            number=number,
            from_epoch=0,
            started=began,
            ended=end,
            outcome=outcome,
        )
        for epoch in (2 * number - 1, 2 * number):
            values: dict[str, Any] = {"metrics": "{}", "seconds": 1.0, "checkpoint": 1, "revision": 1}
            put(connection, "reports", trial_id=trial, epoch=epoch, at=began + 10, **values)


def test_what_the_facts_told_of_failures_stands_in_columns(ledger_url: str):
    make_version_1(ledger_url)
    with connected(ledger_url) as connection:
        facts = {"extension": {"more": 3, "trials": 9}, "host": "h"}
        put(
            connection,
            "studies",
            id=1,
            uid="u",
            name="s",
            raw="{}",
            metric="m",
            mode="max",
            status="paused",
            created=1.0,
            facts=json.dumps(facts),
        )
        hung = {"retried": {"out_of_memory": 1, "hang": 1}, "stuck": {"epoch": 4, "hang": 1}}
        put_trial(connection, 1, "paused", hung | {"accumulation_steps": 2, "gpus": 0.5, "host": "a"}, attempts=3)
        put_attempts(connection, 1, "paused", "paused", "interrupted")
        put_trial(connection, 2, "failed", {"retried": {"hang": 1}, "stuck": {"epoch": 4, "hang": 1}}, reason="hang: x")
        put_attempts(connection, 2, "paused", "failed")
        put_trial(connection, 3, "paused", {"retried": {"exception": 1}}, reason="exception: KeyError")  # alike
        put_attempts(connection, 3, "failed")
        put_trial(connection, 4, "running", {"device": "cpu"})
        put_attempts(connection, 4, None)
    ledger = Ledger(ledger_url)
    row = ledger.study("s")
    assert (row.more, row.facts) == (MoreTrials(3, 9), {"host": "h"})
    first, second, third, fourth = ledger.trials(1)
    memory, hang = FailureClass.OUT_OF_MEMORY, FailureClass.HANG
    assert first.failures == (FailedAttempt(memory, 2), FailedAttempt(hang, 4))
    assert (first.accumulation_steps, first.facts, first.paused_by) == (2, {"host": "a"}, PausedBy.SESSION)
    assert second.failures == (FailedAttempt(hang, 4), FailedAttempt(hang, 4))
    assert (second.retried, second.paused_by, second.facts) == ({"hang": 1}, None, {})
    assert third.failures == (FailedAttempt(FailureClass.EXCEPTION, 2),)
    assert (fourth.failures, fourth.role, fourth.data, fourth.counts) == ((), Role.SEARCH, None, True)
    assert [attempt.gpus for attempt in ledger.attempts(1, 1)] == [0.5] * 3
    assert [attempt.epochs for attempt in ledger.attempts(1, 4)] == [None]
    assert ledger.gpu_seconds(1) == 150.0
    ledger.close()
    again = Ledger(ledger_url)  # a second opening changes nothing
    assert again.trials(1) == [first, second, third, fourth]


def test_a_ledger_written_by_the_version_before_goes_on_and_ends_with_every_trial_once(tmp_path: Path):
    shutil.copy(HERE / "toy_v2.db", tmp_path / "ledger.db")  # its driver was killed
    ledger = Ledger(tmp_path / "ledger.db")
    row = ledger.study("toy")
    trials_before = ledger.trials(row.id)
    assert [trial.state for trial in trials_before].count(State.RUNNING) == 2
    assert {trial.number: trial.retried for trial in trials_before if trial.retried} == {2: {"out_of_memory": 1}}
    spec, trainable = load_study(TOY, []), load_trainable("tests.toy")
    ledger.acquire(row.id, 1, "here")
    _, news = adopt(ledger, row, spec, trainable)
    assert news == []
    study = Study(spec, trainable, ledger, row.id, tmp_path / "toy", concurrency=2)
    study.begin()
    while (job := study.next_job()) is not None:
        finish(study, job, until=9)
    trials = ledger.trials(row.id)
    assert study.outcome == (Status.FINISHED, None)
    assert [trial.number for trial in trials] == list(range(1, 13))
    assert all(trial.state.final for trial in trials)
    assert len({json.dumps(trial.config, sort_keys=True) for trial in trials}) == 12
    for before, after in zip(trials_before, trials, strict=False):
        assert after.config == before.config
        if before.state.final:
            assert after == before


def test_a_started_quickstart_of_the_version_before_is_read_as_it_was(tmp_path: Path):
    shutil.copy(HERE / "quickstart_v2.db", tmp_path / "ledger.db")
    with connected(str(tmp_path / "ledger.db")) as connection:
        rows = connection.exec_driver_sql("SELECT number, state, attempts, test FROM trials ORDER BY number").all()
        count = connection.exec_driver_sql("SELECT count(*) FROM reports").scalar()
    ledger = Ledger(tmp_path / "ledger.db")
    row = ledger.study("quickstart")
    found = [(t.number, t.state.value, t.attempts, t.test) for t in ledger.trials(row.id)]
    assert found == [(n, state, attempts, test and json.loads(test)) for n, state, attempts, test in rows]
    assert len(ledger.history(row.id)) == count
    assert row.objective == Objective("val/hmean", "max")


@pytest.mark.ray
@pytest.mark.timeout(240)
def test_the_command_goes_on_with_a_ledger_of_the_version_before(tune: Tune, home: Path, repository: Path):
    shutil.copy(HERE / "toy_v2.db", home / "ledger.db")
    code, out, err = ended(tune("run", str(TOY.relative_to(repository))))
    assert (code, err) == (0, ""), out
    summary = shown(tune)
    assert summary["status"] == "finished"
    assert [trial["number"] for trial in summary["trials"]] == list(range(1, 13))
    for trial in summary["trials"]:
        assert trial["state"] in ("completed", "pruned", "failed")
        assert [report["epoch"] for report in trial["reports"]] == list(range(1, trial["epochs"] + 1))
