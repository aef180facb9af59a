"""Finds the MLflow experiment of a study: the one of the study's name, unless it belongs to another study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.ledger import Ledger, StudyRow
from orchestrator.tracking.mlflow_client import experiment_or_none, is_deleted
from orchestrator.tracking.projection import UID
from orchestrator.tracking.store import artifacts, is_database

if TYPE_CHECKING:
    from orchestrator.tracking.mlflow_client import Experiment, MlflowClient

_KIND = {"mlflow.experimentKind": "custom_model_development"}  # Else MLflow's pages ask what it is.


def find_or_make_experiment(
    client: MlflowClient, ledger: Ledger, row: StudyRow, uri: str, home: Path, *, holds_run: str | None
) -> str:
    """Returns the id of the study's experiment, which is made or restored if need be.

    Studies of several homes share the experiment of their name; two studies of this ledger that had one name in turn
    keep one each. holds_run: the id of the experiment with the study's own run; None where there is no such run.
    """
    found = _own(client, row, holds_run) or _of_that_name(client, ledger, row)
    if found is None:
        name = _free_name(client, row.name, row.uid)
        found = client.get_experiment_by_name(name)
    if found is None:
        location = f"{artifacts(home)}/{row.name}" if is_database(uri) else None
        return client.create_experiment(name, artifact_location=location, tags={UID: row.uid} | _KIND)
    if is_deleted(found):
        client.restore_experiment(found.experiment_id)
    if found.name != row.name and found.tags.get(UID) == row.uid:
        name = _free_name(client, row.name, row.uid)
        if name != found.name and client.get_experiment_by_name(name) is None:
            client.rename_experiment(found.experiment_id, name)
    return found.experiment_id


def _own(client: MlflowClient, row: StudyRow, holds_run: str | None) -> Experiment | None:
    """Returns the experiment of the known id, unless the store was emptied and gave the id to another one."""
    known = holds_run or row.mlflow_experiment_id
    found = experiment_or_none(client, known) if known else None
    return found if found is not None and (holds_run or found.tags.get(UID) == row.uid) else None


def _of_that_name(client: MlflowClient, ledger: Ledger, row: StudyRow) -> Experiment | None:
    """Returns an experiment of the study's name that it may use; renames that of a study which has been renamed."""
    found = client.get_experiment_by_name(row.name)
    if found is None:
        return None
    uid, deleted = found.tags.get(UID), is_deleted(found)
    owner = next((other for other in ledger.studies() if other.uid == uid and other.id != row.id), None)
    if owner is not None:
        if deleted:  # MLflow does not rename a deleted experiment.
            client.restore_experiment(found.experiment_id)
        client.rename_experiment(found.experiment_id, _free_name(client, owner.name, owner.uid))
        if deleted:
            client.delete_experiment(found.experiment_id)
        return None
    return None if deleted and uid != row.uid else found  # One that others deleted is theirs.


def _free_name(client: MlflowClient, wanted: str, uid: str) -> str:
    """Returns `wanted`, or a longer name where an experiment has that one; deleted experiments keep their names."""
    return wanted if client.get_experiment_by_name(wanted) is None else f"{wanted}.{uid[:8]}"
