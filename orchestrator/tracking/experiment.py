"""Which experiment of MLflow's shows a study: the one of its name, unless that is another's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.ledger import Ledger, StudyRow
from orchestrator.tracking.mlflow_client import experiment_or_none, is_deleted
from orchestrator.tracking.projection import UID
from orchestrator.tracking.store import artifacts, is_database

if TYPE_CHECKING:
    from orchestrator.tracking.mlflow_client import Experiment, MlflowClient


def find_or_make_experiment(
    client: MlflowClient, ledger: Ledger, row: StudyRow, uri: str, home: Path, *, holds_run: str | None
) -> str:
    """The id of the study's experiment, restored if it was deleted.

    Studies of several homes share the experiment of their name; of two studies of this ledger that bore one name in
    turn, each keeps its own. holds_run: the id of the experiment with the study's own run, where there is one.
    """
    found = _own(client, row, holds_run) or _of_that_name(client, ledger, row)
    if found is None:
        name = _free_name(client, row.name, row.uid)
        found = client.get_experiment_by_name(name)
    if found is None:
        place = f"{artifacts(home)}/{row.name}" if is_database(uri) else None
        return client.create_experiment(name, artifact_location=place, tags={UID: row.uid})
    if is_deleted(found):
        client.restore_experiment(found.experiment_id)
    if found.name != row.name and found.tags.get(UID) == row.uid:
        name = _free_name(client, row.name, row.uid)
        if name != found.name and client.get_experiment_by_name(name) is None:
            client.rename_experiment(found.experiment_id, name)
    return found.experiment_id


def _own(client: MlflowClient, row: StudyRow, holds_run: str | None) -> Experiment | None:
    """By its id, which says nothing in a store that was emptied and numbers its experiments anew."""
    known = holds_run or row.mlflow_experiment_id
    found = experiment_or_none(client, known) if known else None
    return found if found is not None and (holds_run or found.tags.get(UID) == row.uid) else None


def _of_that_name(client: MlflowClient, ledger: Ledger, row: StudyRow) -> Experiment | None:
    """An experiment of the study's name that it may use. One of a study that was renamed gets that one's new name."""
    found = client.get_experiment_by_name(row.name)
    if found is None:
        return None
    uid, deleted = found.tags.get(UID), is_deleted(found)
    owner = next((other for other in ledger.studies() if other.uid == uid and other.id != row.id), None)
    if owner is not None:
        if deleted:  # MLflow renames none that is deleted
            client.restore_experiment(found.experiment_id)
        client.rename_experiment(found.experiment_id, _free_name(client, owner.name, owner.uid))
        if deleted:
            client.delete_experiment(found.experiment_id)
        return None
    return None if deleted and uid != row.uid else found  # what others threw away is theirs


def _free_name(client: MlflowClient, wanted: str, uid: str) -> str:
    """`wanted`, unless MLflow has an experiment of that name, deleted ones included: they keep their names."""
    return wanted if client.get_experiment_by_name(wanted) is None else f"{wanted}.{uid[:8]}"
