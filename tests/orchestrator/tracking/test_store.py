"""Checks the addresses of stores and the messages of their errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.tracking.store import (
    address,
    artifacts,
    default_uri,
    file_of,
    gist_of,
    is_database,
)


def test_the_store_is_the_files_else_the_environments_else_the_homes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_uri(home, None) == f"sqlite:///{home}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert default_uri(home, None) == "http://127.0.0.1:5000"
    assert default_uri(home, "postgresql://db/mlflow") == "postgresql://db/mlflow"


@pytest.mark.parametrize(
    "uri, database",
    [
        ("sqlite:////runs/mlflow.db", True),
        ("postgresql+psycopg2://ada@db/mlflow", True),
        ("mysql://ada@db/mlflow", True),
        ("http://127.0.0.1:5000", False),
        ("https://mlflow.example", False),
        ("databricks", False),
        ("databricks://profile", False),
    ],
)
def test_a_database_is_told_from_a_server(uri: str, database: bool) -> None:
    assert is_database(uri) is database


def test_odd_names_are_quoted_for_the_address() -> None:
    odd = Path("/night 1 #2 100%?/홈")
    assert default_uri(odd, None) == "sqlite:////night 1 %232 100%25%3F/홈/mlflow.db"
    assert artifacts(odd) == "file:///night%201%20%232%20100%25%3F/%ED%99%88/mlartifacts"


def test_postgresql_is_reached_by_the_driver_that_is_installed() -> None:
    assert address("postgresql://ada@db/mlflow") == "postgresql+psycopg2://ada@db/mlflow"
    assert address("postgresql+psycopg://ada@db/mlflow") == "postgresql+psycopg://ada@db/mlflow"
    assert address("https://mlflow.example") == "https://mlflow.example"


def test_a_file_that_was_made_anew_has_another_address_and_the_same_path(tmp_path: Path) -> None:
    uri = default_uri(tmp_path / "Heim #1 100%", None)
    assert address(uri, 2) != uri
    assert file_of(uri) == tmp_path / "Heim #1 100%" / "mlflow.db"
    assert file_of(address(uri, 2)) == file_of(uri)
    assert file_of("postgresql://ada@db/mlflow") is None


@pytest.mark.parametrize(
    "text, gist",
    [
        (
            "HTTPConnectionPool(host='h', port=1): Max retries (Caused by Error(111): Connection refused'))",
            "Connection refused",
        ),
        ("API request to http://h failed with timeout exception: Read timed out. (read timeout=20)", "timed out"),
        ("... (Caused by ResponseError('too many 503 error responses'))", "it answers 503"),
        ("API request to endpoint /x failed with error code 403 != 200. Response body: '<html>'", "it answers 403"),
        ("(sqlite3.OperationalError) database is locked\n[SQL: INSERT INTO", "database is locked"),
        ("No module named 'psycopg2'", "needs psycopg2: pip install 'nightsweep[postgres]'"),
        ("cannot reach https://ada:hunter2@host/x\nmore", "cannot reach https://ada:***@host/x"),
        ("", "ValueError"),
    ],
)
def test_of_an_error_the_gist_is_told(text: str, gist: str) -> None:
    assert gist_of(ValueError(text)) == gist
