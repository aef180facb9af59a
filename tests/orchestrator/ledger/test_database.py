"""A ledger that cannot be one is said to be so, in a line that tells what to do."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.ledger import Ledger, LedgerError
from orchestrator.trial import Objective

HMEAN = Objective("val/hmean", "max")


def test_another_file_is_refused_and_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    file = tmp_path / "runs" / "ledger.db"
    file.write_text("lr: 0.1\n" * 300)
    with pytest.raises(LedgerError) as refused:
        Ledger(file)
    assert (
        str(refused.value) == "runs/ledger.db: must be a nightsweep ledger, but file is not a database; move it aside"
    )
    assert file.read_text() == "lr: 0.1\n" * 300


def test_another_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "optuna.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE studies (study_id INTEGER)")
    before = file.read_bytes()
    with pytest.raises(LedgerError, match=r"must be a nightsweep ledger, but holds other tables \(studies\); move it"):
        Ledger(file)
    assert file.read_bytes() == before


def test_a_broken_ledger_is_said_to_be_broken(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    ledger = Ledger(file)
    study = ledger.create_study("hrnet", {}, HMEAN, {}).id
    ledger.add_trial(study, {"note": "x" * 20_000})
    ledger.close()
    content = bytearray(file.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    file.write_bytes(content)
    with pytest.raises(LedgerError, match="must be a nightsweep ledger, but database disk image is malformed; move it"):
        Ledger(file).trials(study)


def test_a_later_version_is_refused(ledger_url: str) -> None:
    import sqlalchemy

    Ledger(ledger_url).close()
    url = ledger_url
    engine = sqlalchemy.create_engine(url.replace("://", "+psycopg2://") if "://" in url else f"sqlite:///{url}")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE nightsweep_schema SET version = 99")
    engine.dispose()
    with pytest.raises(LedgerError, match=r"a later nightsweep made it \(version 99\); upgrade with pip install -U"):
        Ledger(url)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(LedgerError) as refused:
        Ledger("postgresql://tester:hunter2@127.0.0.1:9/nights")
    assert "postgresql://tester:***@127.0.0.1:9/nights: must be a PostgreSQL server that answers" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url, said",
    [
        ("mysql://user@host/db", "must be SQLite or PostgreSQL, but is mysql"),
        ("://", "must be a file or postgresql://USER@HOST/DATABASE"),
    ],
)
def test_another_kind_of_database_is_refused(url: str, said: str) -> None:
    with pytest.raises(LedgerError, match=said):
        Ledger(url)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(LedgerError, match="must be in a folder that can be written, but Not a directory"):
        Ledger(tmp_path / "runs" / "home" / "ledger.db")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 KB; skipped where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", place], capture_output=True)
    if made.returncode != 0:
        pytest.skip("a file system can be mounted by root only")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_said_and_keeps_what_was_there(small_disk: Path) -> None:
    ledger = Ledger(small_disk / "ledger.db")
    study = ledger.create_study("hrnet", {}, HMEAN, {}).id
    with pytest.raises(LedgerError, match="has no room left to write; free some and start again"):
        for seed in range(100):
            ledger.add_trial(study, {"note": "x" * 10_000}, seed=seed)
    kept = ledger.trials(study)
    assert 1 < len(kept) == seed
    ledger.close()
    assert Ledger(small_disk / "ledger.db").trials(study) == kept


def test_a_read_only_disk_is_said(small_disk: Path) -> None:
    Ledger(small_disk / "ledger.db").close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(LedgerError, match=r"must be a file that can be read and written, but .*; see ls -l"):
        Ledger(small_disk / "ledger.db").create_study("hrnet", {}, HMEAN, {})
    with pytest.raises(LedgerError, match=r"other/ledger\.db: must be in a folder that can be written, but Read-only"):
        Ledger(small_disk / "other" / "ledger.db")
