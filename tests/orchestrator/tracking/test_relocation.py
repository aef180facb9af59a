"""A home that was copied or moved writes its artifacts into itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.ledger import Ledger
from orchestrator.tracking import default_uri, log_report, sync
from orchestrator.tracking.relocation import bring_home
from tests.harness.mlflow_runs import assert_equal, begin, runs_of


@pytest.fixture
def report(ledger: Ledger, study: int, uri: str, home: Path) -> Path:
    """Returns a file of a report that was shown in MLflow."""
    file = home / "hrnet" / "report" / "report.md"
    file.parent.mkdir(parents=True)
    file.write_text("the first home's")
    sync(ledger, study, uri, home)
    log_report(ledger, study, uri, home, [file])
    return file


@pytest.fixture(params=["copied", "moved"])
def other(request: pytest.FixtureRequest, ledger: Ledger, report: Path, home: Path) -> Iterator[tuple[Path, Ledger]]:
    """Returns another home, which is the first one copied or moved, and its ledger."""
    ledger.close()
    place = home.parent / "elsewhere" / "ein Heim #2"
    place.parent.mkdir()
    shutil.copytree(home, place) if request.param == "copied" else shutil.move(home, place)
    ledger = Ledger(place / "ledger.db")
    yield place, ledger
    ledger.close()


def reports_below(home: Path) -> list[str]:
    return [file.read_text() for file in sorted((home / "mlartifacts").rglob("report.md"))]


def test_its_report_goes_into_its_own_artifacts(other: tuple[Path, Ledger], study: int, home: Path) -> None:
    place, ledger = other
    there = home.exists()
    uri, file = default_uri(place, None), place / "hrnet" / "report" / "report.md"
    file.write_text("the other home's")
    log_report(ledger, study, uri, place, [file])
    sync(ledger, study, uri, place)
    assert reports_below(place) == ["the other home's"]
    assert reports_below(home) == (["the first home's"] if there else []) and home.exists() is there
    assert_equal(ledger, study, uri)
    run = runs_of(uri)[1].info
    assert run.artifact_uri == f"{(place / 'mlartifacts').as_uri()}/hrnet/{run.run_id}/artifacts"
    new = MlflowClient(uri).create_run(run.experiment_id)  # Also what comes later lies here.
    assert new.info.artifact_uri.startswith((place / "mlartifacts").as_uri())
    assert bring_home(uri, place, [ledger.study("hrnet").uid]) == 0


@pytest.mark.usefixtures("report")
def test_what_other_homes_have_in_the_store_stays_where_it_lies(
    ledger: Ledger, uri: str, home: Path, tmp_path: Path
) -> None:
    guest = tmp_path / "guest"
    theirs = Ledger(guest / "ledger.db")
    sync(theirs, begin(theirs, "plates"), uri, guest)
    own = MlflowClient(uri).create_experiment("by hand", artifact_location="file:///data/mlartifacts/by hand")
    assert bring_home(uri, home, [ledger.study("hrnet").uid]) == 0
    assert bring_home(uri, guest, [theirs.study("plates").uid]) == 0  # The store is not in that home.
    client = MlflowClient(uri)
    plates = client.get_experiment_by_name("plates")
    assert plates is not None and plates.artifact_location == f"{(guest / 'mlartifacts').as_uri()}/plates"
    assert client.get_experiment(own).artifact_location == "file:///data/mlartifacts/by hand"
    theirs.close()


def test_a_home_without_a_store_has_nothing_to_bring(home: Path) -> None:
    assert bring_home(default_uri(home, None), home, ["uid"]) == 0
    (home / "mlflow.db").touch()  # It has no tables yet.
    assert bring_home(default_uri(home, None), home, ["uid"]) == 0
    assert bring_home("https://mlflow.example", home, ["uid"]) == 0
