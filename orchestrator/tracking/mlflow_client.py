"""Makes all calls of MLflow, and sets what MLflow must be told before its first use."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from orchestrator.tracking.best_so_far import Point, milliseconds
from orchestrator.tracking.projection import EPOCH_SECONDS, NUMBER, TAG_LENGTH, UID, batches, digest
from orchestrator.tracking.store import QUIET, address, file_of, identity, is_database, is_embedded, quoted

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

# By default MLflow tries for many minutes; here the next round tries again.
_SHORT_TIMEOUTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # It would also repeat the creation of a run.
    "PGCONNECT_TIMEOUT": "20",
}
# The tag that MLflow's pages show as a run's description, and ours with a digest of what we wrote there: it begins as
# those that the pages do not list.
_DESCRIPTION, _DESCRIBED = "mlflow.note.content", "mlflow.nightsweep.description"
# MLflow makes an experiment `Default` in every new store, where it would stand empty before those of the studies. In
# the home's own store it is put in the bin. A store that the user named keeps it: a trial or another program that logs
# there without naming an experiment needs it.
EMPTY_EXPERIMENT = "0"
# MLflow's codes of errors that concern one run only.
ABOUT_ONE_RUN = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE")

# By the address of a SQLite store: the identity of the file that was last opened, and its generation.
_files: dict[str, tuple[tuple[int, int] | None, int]] = {}


def connect(uri: str, home: Path | None = None) -> MlflowClient:
    """Returns a client for the store. Creates the tables of a database that has none; sends a server no request yet.

    home: the one whose own store it may be; None if it is none's.
    """
    for name, value in (QUIET | _SHORT_TIMEOUTS).items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic", "urllib3.connectionpool"):  # Errors arrive as exceptions, too.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if is_database(uri):
        import mlflow.store.db.utils

        mlflow.store.db.utils.MAX_RETRY_COUNT = 0  # No variable sets it; by default MLflow waits 100 s.
    path = file_of(uri)
    if path is not None and not path.exists() and path.parent.is_dir():
        _make_store(path, own=home is not None and is_embedded(uri, home))
    file = identity(uri)
    last, generation = _files.get(uri, (file, 0))
    generation += file != last
    spelled = address(uri, generation)
    client = MlflowClient(tracking_uri=spelled, registry_uri=spelled)
    _files[uri] = identity(uri), generation
    return client


def _make_store(path: Path, *, own: bool) -> None:
    """Creates a SQLite store with all of its tables at once. own: it is a home's, in which only studies stand.

    MLflow creates them in dozens of steps, which take seconds; killed in between, it could never go on. Therefore they
    are created in a file of another name.
    """
    from mlflow import MlflowClient

    new = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex}")
    for left in path.parent.glob(f".{path.name}.*"):
        pid = left.name.removeprefix(f".{path.name}.").partition(".")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):  # It was killed meanwhile.
            left.unlink(missing_ok=True)
    try:
        client = MlflowClient(f"sqlite:///{quoted(new)}")
        if own:
            client.delete_experiment(EMPTY_EXPERIMENT)
        client._tracking_client.store.engine.dispose()
        os.link(new, path)
    except FileExistsError:  # Another process was faster.
        pass
    finally:
        new.unlink(missing_ok=True)


# Runs


def make_run(client: MlflowClient, experiment: str, name: str, created: float, tags: Mapping[str, str]) -> str:
    """Creates a run; returns its id. created: unix time."""
    return client.create_run(experiment, milliseconds(created), dict(tags), name).info.run_id


def log(
    client: MlflowClient, run_id: str, points: Iterable[Point], params: Mapping[str, str], tags: Mapping[str, str]
) -> None:
    """Sends the points, params and tags of a run, in one call where MLflow's limits allow it."""
    from mlflow.entities import Metric, Param, RunTag

    for batch in batches(points, params, tags):
        client.log_batch(
            run_id,
            metrics=[Metric(point.name, point.value, point.at, point.step) for point in batch.points],
            params=[Param(name, value) for name, value in batch.params.items()],
            tags=[RunTag(name, value) for name, value in batch.tags.items()],
            synchronous=True,
        )


def set_status(client: MlflowClient, run_id: str, status: str, ended: float | None) -> None:
    """Sets a run's status, with the time of its end (unix time) where it has ended."""
    if status in ("FINISHED", "KILLED", "FAILED"):
        client.set_terminated(run_id, status, milliseconds(ended) if ended else None)
    else:
        client.update_run(run_id, status=status)


def restored(client: MlflowClient, run_id: str) -> Run | None:
    """Returns the run, restored if it was deleted; None where the store has no such run."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    if run.info.lifecycle_stage == "deleted":
        client.restore_run(run_id)
    return run


def remove_run(client: MlflowClient, run_id: str) -> None:
    """Deletes the run, which MLflow keeps among the deleted ones, and so that it does not show as running there."""
    client.set_terminated(run_id, "KILLED")
    client.delete_run(run_id)


def runs_of(client: MlflowClient, experiment: str, uid: str) -> Iterator[Run]:
    """Yields the study's runs, deleted ones included."""
    from mlflow.entities import ViewType

    token = None
    while True:
        page = client.search_runs([experiment], f"tags.`{UID}` = '{uid}'", ViewType.ALL, 1000, page_token=token)
        yield from (run for run in page if run.data.tags.get(NUMBER, "").isdigit())
        token = page.token
        if not token:
            return


def number_of(run: Run) -> int:
    """Returns the trial number of the run; 0 for the study's own."""
    return int(run.data.tags[NUMBER])


def completeness(run: Run) -> tuple[bool, int]:
    """Returns a key by which the better of two runs of one trial is the greater."""
    return run.info.lifecycle_stage == "active", len(run.data.metrics)


def epochs_of(client: MlflowClient, run_id: str) -> set[tuple[int, int]]:
    """Returns (milliseconds of unix time, epoch) of every report that the run shows."""
    return {(point.timestamp, point.step) for point in client.get_metric_history(run_id, EPOCH_SECONDS)}


def own_tags(run: Run, ours: Mapping[str, str]) -> dict[str, str]:
    """Returns the tags that people gave the run. ours: those that were sent."""
    return {name: value for name, value in run.data.tags.items() if name not in ours and name != "mlflow.runName"}


def store_files(
    client: MlflowClient, run_id: str, files: Iterable[Path], folder: str, texts: Mapping[str, str]
) -> None:
    """Stores files below `folder` among the artifacts of a run, and texts, by name, beside it."""
    from mlflow.tracking._tracking_service import utils

    # MLflow remembers where artifacts lie by the run's id alone, which a copy of a home has, too.
    utils._artifact_repos_cache.pop(run_id, None)
    for file in files:
        client.log_artifact(run_id, str(file), artifact_path=folder)
    for name, text in texts.items():
        client.log_text(run_id, text, name)


def describe(client: MlflowClient, run_id: str, text: str) -> None:
    """Makes `text` (Markdown) the description of a run, unless people have written one of their own there."""
    tags = client.get_run(run_id).data.tags
    there = tags.get(_DESCRIPTION)
    if not there or tags.get(_DESCRIBED) == digest(there):
        text = text[:TAG_LENGTH]
        log(client, run_id, [], {}, {_DESCRIPTION: text, _DESCRIBED: digest(text)})


# Experiments


def experiment_or_none(client: MlflowClient, experiment_id: str) -> Experiment | None:
    """Returns the experiment; None where the store has none of that id."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_experiment(experiment_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def is_deleted(experiment: Experiment) -> bool:
    """Returns whether the experiment is among MLflow's deleted ones."""
    return experiment.lifecycle_stage == "deleted"
