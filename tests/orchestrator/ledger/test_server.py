"""A ledger on a server: what is wrong with it is said, its absence is waited for, a lost answer doubles nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from orchestrator.ledger import BadAddress, DuplicateConfig, Ledger, LedgerAway, LedgerError, StudyExists, StudyInUse
from orchestrator.trial import Extension, Objective, Report, State
from tests.harness.postgresql import PostgreSQL

HERE = socket.gethostname()
HMEAN = Objective("val/hmean", "max")


def report(epoch: int, value: float = 0.5) -> Report:
    return Report(epoch, {"val/hmean": value}, 1.0, 1000.0 + epoch)


class Wire:
    """Between a ledger and its server. It can break at a COMMIT, after the server has done it."""

    def __init__(self, port: int) -> None:
        self.cuts = 0
        self._cut = False
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_next(self) -> None:
        self._cut = True

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            committed = threading.Event()
            threading.Thread(target=self._carry, args=(client, server, committed, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(server, client, committed, False), daemon=True).start()

    def _carry(self, source: socket.socket, to: socket.socket, committed: threading.Event, asking: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if asking and self._cut and b"COMMIT" in data:
                    self._cut = False
                    committed.set()
                elif not asking and committed.is_set():
                    self.cuts += 1
                    break
                to.sendall(data)
        for end in (source, to):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # close would wait for whoever reads it


@pytest.fixture
def wire(postgresql_server: PostgreSQL) -> Iterator[Wire]:
    wire = Wire(postgresql_server.port)
    yield wire
    wire.close()


@pytest.fixture
def place(postgresql_server: PostgreSQL) -> Callable[..., str]:
    """The URL of a ledger that does not exist yet."""
    import psycopg2

    def make(port: int = postgresql_server.port) -> str:
        name = f"server_{time.time_ns()}"
        with closing(psycopg2.connect(postgresql_server.url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {name}")
        return f"postgresql://tester:secret@127.0.0.1:{port}/postgres?options=-csearch_path%3D{name}"

    return make


ACTS: dict[str, Callable[[Ledger, int], object]] = {
    "create_study": lambda ledger, study: ledger.create_study("crnn", {}, HMEAN, {}).name,
    "acquire": lambda ledger, study: ledger.acquire(ledger.study("second").id, os.getpid(), HERE),
    "release": lambda ledger, study: ledger.release(study, "paused"),
    "beat": lambda ledger, study: ledger.beat(study),
    "add_trial": lambda ledger, study: ledger.add_trial(study, {"lr": 0.2}).number,
    "start_attempt": lambda ledger, study: ledger.start_attempt(study, 1),
    "record": lambda ledger, study: ledger.record(study, 1, report(2, 0.75)),
    "finish": lambda ledger, study: ledger.finish(study, 1, State.PRUNED, "why"),
    "revise": lambda ledger, study: ledger.revise(
        study, raw={"a": 1}, facts={}, left_out={}, extended={1: ({"lr": 0.1, "epochs": 9}, Extension(1, 3, 9))}
    ),
}


def outcome(url: str, act: Callable[[Ledger, int], object], disturb: Callable[[], None]) -> tuple[object, ...]:
    """What an act answers and leaves behind."""
    ledger = Ledger(url, patience=30.0)
    study = ledger.create_study("hrnet", {}, HMEAN, {}).id
    ledger.create_study("second", {}, HMEAN, {})
    ledger.acquire(study, os.getpid(), HERE)
    ledger.add_trial(study, {"lr": 0.1})
    ledger.record(study, 1, report(1))
    disturb()
    answer = act(ledger, study)
    trials = [(t.number, t.config, t.state, t.reason, t.attempts, t.reports, t.extended) for t in ledger.trials(study)]
    attempts = [(a.number, a.from_epoch, a.outcome) for a in ledger.attempts(study, 1)]
    rows = [(row.name, row.status, row.lease is not None) for row in ledger.studies()]
    ledger.close()
    return answer, trials, attempts, rows


@pytest.mark.parametrize("name", ACTS)
def test_an_act_whose_answer_is_lost_on_the_way_is_done_once(place: Callable[..., str], wire: Wire, name: str) -> None:
    calm = outcome(place(), ACTS[name], lambda: None)
    disturbed = outcome(place(wire.port), ACTS[name], wire.cut_next)
    assert wire.cuts == 1
    assert disturbed == calm


def test_without_patience_a_broken_line_is_said_at_once(place: Callable[..., str], wire: Wire) -> None:
    ledger = Ledger(place(wire.port))
    wire.cut_next()
    with pytest.raises(
        LedgerAway, match=r"tester:\*\*\*@127.*: must be a PostgreSQL server that answers, but: server closed"
    ):
        ledger.create_study("hrnet", {}, HMEAN, {})
    with pytest.raises(StudyExists):  # it was done, and the next one finds it
        ledger.create_study("hrnet", {}, HMEAN, {})
    ledger.close()


def test_a_server_that_comes_back_in_mid_study_costs_a_wait_and_no_report(
    place: Callable[..., str], postgresql_server: PostgreSQL
) -> None:
    said: list[str] = []
    ledger = Ledger(place(), patience=60.0, say=said.append)
    study = ledger.create_study("hrnet", {}, HMEAN, {}).id
    ledger.acquire(study, os.getpid(), HERE)
    ledger.add_trial(study, {"lr": 0.1})
    ledger.record(study, 1, report(1))
    postgresql_server.stop()
    writer = threading.Thread(target=lambda: ledger.record(study, 1, report(2, 0.75)))
    try:
        writer.start()
        while not said:
            time.sleep(0.01)
        assert writer.is_alive()
    finally:
        postgresql_server.start()
    writer.join(60)
    ledger.beat(study)
    assert ledger.trial(study, 1).reports == (report(1), report(2, 0.75))
    assert "must be a PostgreSQL server that answers" in said[0] and "trying again for 60 s" in said[0]
    assert said[1].startswith("the ledger answers again after") and len(said) == 2
    ledger.close()


def test_a_server_that_stays_away_ends_the_wait_once_and_what_is_left_to_do_fails_at_once(
    place: Callable[..., str], postgresql_server: PostgreSQL
) -> None:
    said: list[str] = []
    ledger = Ledger(place(), patience=1.5, say=said.append)
    study = ledger.create_study("hrnet", {}, HMEAN, {}).id
    ledger.acquire(study, os.getpid(), HERE)
    postgresql_server.stop()
    try:
        with pytest.raises(
            LedgerAway, match="it did not come back within 2 s: when it has, start the same command again"
        ):
            ledger.beat(study)
        with pytest.raises(LedgerAway, match="it did not come back within 2 s"):
            ledger.release(study, "paused")
        assert len(said) == 1
        with pytest.raises(LedgerAway, match=r"must be a PostgreSQL server that answers, but: .*Connection refused"):
            Ledger(postgresql_server.url, patience=60.0)  # at the start nobody waits
    finally:
        postgresql_server.start()
    ledger.release(study, "paused")
    ledger.close()


def test_a_study_held_by_this_very_process_is_not_taken_for_a_lost_answer(place: Callable[..., str]) -> None:
    ledger = Ledger(place(), patience=30.0)
    study = ledger.create_study("hrnet", {}, HMEAN, {}).id
    ledger.acquire(study, os.getpid(), HERE)
    with pytest.raises(StudyInUse):
        ledger.acquire(study, os.getpid(), HERE)
    ledger.add_trial(study, {"lr": 0.1})
    with pytest.raises(DuplicateConfig):
        ledger.add_trial(study, {"lr": 0.1})
    ledger.close()


# What is wrong is said


def test_a_wrong_password_is_said_and_not_shown(postgresql_server: PostgreSQL) -> None:
    import psycopg2

    with closing(psycopg2.connect(postgresql_server.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'open sesame'")
    for given, cause in ((":hunter2", "password authentication failed"), ("", "no password supplied")):
        with pytest.raises(LedgerError) as refused:
            Ledger(f"postgresql://guest{given}@127.0.0.1:{postgresql_server.port}/postgres", patience=60.0)
        said = str(refused.value)
        assert "must name a user that the server lets in, but: " in said and cause in said
        assert "see the password in PGPASSWORD or ~/.pgpass" in said
        assert "hunter2" not in said and not isinstance(refused.value, LedgerAway)


def test_a_database_that_is_not_there_is_said(postgresql_server: PostgreSQL) -> None:
    with pytest.raises(LedgerError, match=r'"nights" does not exist; make it with: createdb -h 127\.0\.0\.1 nights'):
        Ledger(f"postgresql://tester@127.0.0.1:{postgresql_server.port}/nights")


def test_a_user_who_may_not_make_tables_is_told(postgresql_server: PostgreSQL) -> None:
    import psycopg2

    with closing(psycopg2.connect(postgresql_server.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN")
    with pytest.raises(LedgerError, match="must let reader make and write tables, but: permission denied for schema"):
        Ledger(postgresql_server.url.replace("tester:secret", "reader"))


@pytest.mark.parametrize("url", ["postgresql://host:port/db", "://", "postgresql//host/db://"])
def test_an_address_that_is_none_is_the_users_mistake(url: str) -> None:
    with pytest.raises(BadAddress, match=r"must be a file or postgresql://USER@HOST/DATABASE"):
        Ledger(url)


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@127.0.0.1:9/db", "postgresql://127.0.0.1:9/db?password=hunter2"]
)
def test_no_form_of_a_password_is_shown(url: str) -> None:
    with pytest.raises(LedgerAway) as away:
        Ledger(url)
    assert "hunter2" not in str(away.value) and "***" in str(away.value)


def test_a_missing_driver_is_said_with_what_to_install() -> None:
    text = (
        "import sys\n"
        "sys.modules['psycopg2'] = None\n"
        "from orchestrator.ledger import *\n"
        "try: Ledger('postgresql://127.0.0.1:9/db')\n"
        "except LedgerError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
    assert "needs psycopg2: pip install 'nightsweep[postgres]'" in said
