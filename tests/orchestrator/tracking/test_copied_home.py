"""A copied home has studies of its own where a shared MLflow or a storage knows them by their uid."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.home import Home
from orchestrator.ledger import Ledger
from orchestrator.study.copied_home import settle
from orchestrator.tracking import default_uri, sync
from orchestrator.tracking.store import is_embedded
from tests.harness.mlflow_runs import add, assert_equal, begin


@pytest.fixture
def first(home: Path, ledger: Ledger, study: int) -> Home:
    """Returns a home that knows where it lies."""
    settle(ledger, ledger.study("hrnet"), Home.at(home), tracked_elsewhere=True)
    return Home.at(home)


@pytest.mark.parametrize("how", ["copied", "moved"])
def test_a_copy_gets_runs_of_its_own_and_a_moved_home_keeps_its_own(
    ledger: Ledger, study: int, first: Home, fresh_store: Path, tmp_path: Path, how: str
) -> None:
    shared = tmp_path / "server"
    shared.mkdir()
    shutil.copy(fresh_store, shared / "mlflow.db")
    uri = default_uri(shared, None)
    assert is_embedded(uri, shared) and not is_embedded(uri, first.path)
    sync(ledger, study, uri, first.path)
    before = ledger.study("hrnet")
    ledger.close()
    place = Home.at(tmp_path / "elsewhere")
    shutil.copytree(first.path, place.path) if how == "copied" else first.path.rename(place.path)
    other = Ledger(place.ledger)
    row, news = settle(other, other.study("hrnet"), place, tracked_elsewhere=True)
    assert settle(other, row, place, tracked_elsewhere=True) == (row, [])
    add(other, study, 3)
    sync(other, study, uri, place.path)
    if how == "moved":
        assert (row.uid, news) == (before.uid, [])
        assert other.study("hrnet").mlflow_run_id == before.mlflow_run_id
        assert_equal(other, study, uri)
    else:
        own = "the study has its own from now on"
        assert news == [f"hrnet: this home is a copy of {first.path}, whose runs in MLflow stay as they are; {own}"]
        assert row.uid != before.uid and other.study("hrnet").mlflow_run_id != before.mlflow_run_id
        again = Ledger(first.ledger)
        assert again.study("hrnet") == replace(before, seconds=again.study("hrnet").seconds)
        assert sync(again, study, uri, first.path).removed == 0
        first_runs = {trial.mlflow_run_id for trial in again.trials(study)}
        assert not first_runs & {trial.mlflow_run_id for trial in other.trials(study)}
        again.close()
    other.close()


def test_what_lies_in_the_home_alone_keeps_its_uid(ledger: Ledger, first: Home, tmp_path: Path) -> None:
    place = Home.at(tmp_path / "copy")
    shutil.copytree(first.path, place.path)
    with_storage = Ledger(place.ledger)
    row = with_storage.study("hrnet")
    assert settle(with_storage, row, place, tracked_elsewhere=False)[0].uid == row.uid
    begin(ledger, "plates")
    plates, _ = settle(ledger, ledger.study("plates"), first, tracked_elsewhere=False)
    ledger.update_study(plates.id, raw=plates.raw | {"storage": "s3://bucket/x"})
    second = Home.at(tmp_path / "second")
    shutil.copytree(first.path, second.path)
    copy = Ledger(second.ledger)
    row, news = settle(copy, copy.study("plates"), second, tracked_elsewhere=False)
    assert row.uid != plates.uid and news[0].endswith("what is unfinished begins anew")
    assert "whose checkpoints at s3://bucket/x stay as they are" in news[0]
    team = Home.at(tmp_path / "third", "postgresql://team/ledger")
    assert settle(copy, row, team, tracked_elsewhere=True) == (row, [])
    copy.close()
    with_storage.close()


def test_another_way_to_the_same_folder_is_no_copy(ledger: Ledger, first: Home, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(first.path)
    row = ledger.study("hrnet")
    again, news = settle(ledger, row, Home.at(tmp_path / "link"), tracked_elsewhere=True)
    assert (again.uid, news) == (row.uid, [])
