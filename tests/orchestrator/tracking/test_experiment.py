from __future__ import annotations

from pathlib import Path

from mlflow.entities import ViewType

from orchestrator.ledger import Ledger
from orchestrator.tracking import sync
from orchestrator.tracking.mlflow_client import connect
from tests.harness.mlflow_runs import add, assert_equal, begin, runs_of


def names(uri: str, view: int = ViewType.ACTIVE_ONLY) -> set[str]:
    return {experiment.name for experiment in connect(uri).search_experiments(view_type=view)} - {"Default"}


def test_a_name_that_a_deleted_experiment_of_others_keeps_is_not_taken_from_it(
    ledger: Ledger, study: int, uri: str, home: Path
) -> None:
    client = connect(uri)
    client.delete_experiment(client.create_experiment("hrnet"))
    for _ in range(2):
        sync(ledger, study, uri, home)
    (name,) = names(uri)
    assert name == f"hrnet.{ledger.study('hrnet').uid[:8]}"
    assert runs_of(uri, name).keys() == set(range(6))
    assert names(uri, ViewType.DELETED_ONLY) == {"hrnet"}


def test_an_experiment_of_ones_own_that_was_deleted_comes_back(
    ledger: Ledger, study: int, uri: str, home: Path
) -> None:
    sync(ledger, study, uri, home)
    client = connect(uri)
    client.delete_experiment(ledger.study("hrnet").mlflow_experiment_id)
    sync(ledger, study, uri, home)
    assert_equal(ledger, study, uri)


def test_a_study_begun_afresh_leaves_the_old_one_in_the_bin_where_it_was_put(
    ledger: Ledger, study: int, uri: str, home: Path
) -> None:
    sync(ledger, study, uri, home)
    connect(uri).delete_experiment(ledger.study("hrnet").mlflow_experiment_id)
    ledger.rename_study("hrnet", "hrnet.2")
    new = begin(ledger)
    add(ledger, new, 2)
    sync(ledger, new, uri, home)
    assert_equal(ledger, new, uri)
    assert names(uri) == {"hrnet"}
    assert names(uri, ViewType.DELETED_ONLY) == {"hrnet.2"}
    sync(ledger, study, uri, home)
    assert_equal(ledger, study, uri, name="hrnet.2")


def test_a_renamed_study_whose_new_name_is_taken_keeps_an_experiment_of_its_own(
    ledger: Ledger, study: int, uri: str, home: Path
) -> None:
    sync(ledger, study, uri, home)
    others = connect(uri).create_experiment("hrnet.2")
    ledger.rename_study("hrnet", "hrnet.2")
    new = begin(ledger)
    add(ledger, new, 2)
    sync(ledger, new, uri, home)
    sync(ledger, study, uri, home)
    assert_equal(ledger, new, uri)
    uid = ledger.study("hrnet.2").uid
    assert names(uri) == {"hrnet", "hrnet.2", f"hrnet.2.{uid[:8]}"}
    assert connect(uri).search_runs([others]) == []


def test_a_store_that_numbers_its_experiments_anew_gives_a_study_none_of_others(
    ledger: Ledger, study: int, uri: str, home: Path, fresh_store: Path
) -> None:
    sync(ledger, study, uri, home)
    (home / "mlflow.db").write_bytes(fresh_store.read_bytes())  # The file is the same.
    others = connect(uri).create_experiment("others")
    assert others == ledger.study("hrnet").mlflow_experiment_id
    sync(ledger, study, uri, home)
    assert_equal(ledger, study, uri)
    assert connect(uri).search_runs([others]) == []
