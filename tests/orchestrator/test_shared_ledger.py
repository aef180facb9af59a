"""A team's ledger on a PostgreSQL server, as users run it: the command in processes of its own, on a real Ray."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.ledger import Ledger
from tests.harness.command import end, start
from tests.harness.postgresql import PostgreSQL
from tests.harness.waiting import wait_for

PASSWORD = "open-sesame-4711"
HERE = socket.gethostname()


class Command:
    """`tune ...` with the ledger in the environment."""

    def __init__(self, home: Path, repository: Path, url: str) -> None:
        self.url = url
        self._repository = repository
        self._environment = {"NIGHTSWEEP_HOME": str(home), "NIGHTSWEEP_LEDGER": url}
        self._started: list[subprocess.Popen[str]] = []
        self.said = ""  # by all so far

    def start(self, *words: str) -> subprocess.Popen[str]:
        process = start(self._repository, words, self._environment, stderr=subprocess.STDOUT)
        self._started.append(process)
        return process

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        out, _ = process.communicate(timeout=200)
        self.said += out
        return process.returncode, out

    def __call__(self, *words: str) -> str:
        code, out = self.end(self.start(*words))
        assert code == 0, out
        return out

    def close(self) -> None:
        for process in self._started:
            end(process)


@pytest.fixture
def tune(home: Path, repository: Path, postgresql_server: PostgreSQL) -> Iterator[Command]:
    import psycopg2

    with closing(psycopg2.connect(postgresql_server.url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS nights")
            cursor.execute("DROP ROLE IF EXISTS guest")
            cursor.execute(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
            cursor.execute("CREATE DATABASE nights OWNER guest")
    command = Command(home, repository, f"postgresql://guest:{PASSWORD}@127.0.0.1:{postgresql_server.port}/nights")
    yield command
    command.close()


def reports(ledger: Ledger, epoch: int = 1) -> int:
    """How many reports of this epoch or a later one there are."""
    rows = ledger.studies()
    return sum(report.epoch >= epoch for _, _, report in ledger.history(rows[0].id)) if rows else 0


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_team_runs_its_study_through_restarts_of_the_server_and_a_takeover(
    tune: Command, toy_study: Callable[..., Path], postgresql_server: PostgreSQL, home: Path
):
    ledger = Ledger(tune.url)
    file = str(toy_study(space={"epochs": 5, "seconds": 0.3}, budget={"trials": 3}))
    driver = tune.start("run", file, "--ledger", tune.url)
    wait_for(lambda: reports(ledger) >= 2, 120)
    postgresql_server.stop()
    time.sleep(1)  # long enough for a report to find it away
    postgresql_server.start()
    code, out = tune.end(driver)
    assert code == 0, out
    assert "must be a PostgreSQL server that answers" in out and "the ledger answers again after" in out
    summary = json.loads(tune("show", "toy", "--json", "--history"))
    assert [trial["number"] for trial in summary["trials"]] == [1, 2, 3]
    for trial in summary["trials"]:
        assert trial["state"] in ("completed", "pruned")
        assert [report["epoch"] for report in trial["reports"]] == list(range(1, trial["epochs"] + 1))
    assert not (home / "ledger.db").exists()
    assert "--ledger 'postgresql://guest:***@" in ledger.study("toy").facts["command"]

    # A raised limit, and a second host that takes the study over from this one, which it takes for dead.
    longer = str(toy_study(space={"epochs": 60, "seconds": 0.3}, budget={"trials": 3}))
    driver = tune.start("run", longer)
    wait_for(lambda: reports(ledger, epoch=6) >= 1, 120)
    row = ledger.study("toy")
    import psycopg2

    with closing(psycopg2.connect(tune.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE sessions SET host = 'elsewhere', beat = beat - 90, started = started - 90")
    stale = ledger.acquire(row.id, os.getpid(), HERE)
    assert stale is not None and stale.host == "elsewhere"
    taken = ledger.trials(row.id)
    code, out = tune.end(driver)
    assert code == 1, out
    assert f"Study 'toy' was taken over by process {os.getpid()} on {HERE} since" in out
    assert "on to 60 epochs" in out and "Traceback" not in out
    assert ledger.trials(row.id) == taken
    ledger.release(row.id, "paused")
    ledger.close()

    [best] = [trial for trial in json.loads(tune("show", "toy", "--json"))["trials"] if trial["extended"]][:1]
    assert best["config"]["epochs"] == 60 and best["extended"][0]["new_limit"] == 60
    assert "extended from 5 to 60 epochs after epoch 5" in tune("show", "toy")
    assert "toy" in tune("list")
    assert "source: {study: toy" in tune("best", "toy")
    assert "3 trials with" in tune("sync", "toy")
    assert "report.html" in tune("report", "toy")
    assert "was extended from 5 to 60 epochs" in (home / "toy" / "report" / "report.md").read_text()

    # The password is nowhere.
    assert PASSWORD not in tune.said and "guest:***@" in tune.said
    for path in home.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path
    dumped = subprocess.run(["pg_dump", tune.url], capture_output=True, text=True)
    assert PASSWORD not in dumped.stdout


@pytest.mark.parametrize("verb", [["show", "toy"], ["sync"]])
def test_every_verb_says_what_is_wrong_with_a_ledger_in_one_line(tune: Command, verb: list[str]):
    code, out = tune.end(tune.start(*verb, "--ledger", "postgresql://me:hunter2@127.0.0.1:9/nights"))
    assert code == 1
    assert out.startswith("postgresql://me:***@127.0.0.1:9/nights: must be a PostgreSQL server that answers, but: ")
    assert len(out.splitlines()) == 1 and "hunter2" not in out


def test_an_address_that_is_none_is_the_users_mistake(tune: Command, toy_study: Callable[..., Path], home: Path):
    code, out = tune.end(tune.start("run", str(toy_study()), "--ledger", "mysql://me:hunter2@host/nights"))
    assert code == 2
    assert out.splitlines()[-1] == "mysql://me:***@host/nights: must be SQLite or PostgreSQL, but is mysql"
    assert list(home.iterdir()) == []
