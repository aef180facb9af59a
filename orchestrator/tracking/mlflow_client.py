"""All that knows MLflow: the calls that are made of it, and what it needs to be told about itself."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from orchestrator.tracking.projection import EPOCH_SECONDS, NUMBER, UID, Point, batches, milliseconds
from orchestrator.tracking.store import QUIET, address, file_of, identity, is_database, quoted

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

_IMPATIENT = {  # by itself MLflow tries for many minutes; here the next round tries again
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # it would repeat the making of a run, too
    "PGCONNECT_TIMEOUT": "20",
}
ABOUT_ONE_RUN = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE")  # MLflow's codes

_files: dict[str, tuple[tuple[int, int] | None, int]] = {}  # of a SQLite store: the file last reached, its generation


def connect(uri: str) -> MlflowClient:
    """Makes the tables of a database that has none; a server is not asked for anything yet."""
    for name, value in (QUIET | _IMPATIENT).items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic", "urllib3.connectionpool"):  # what fails comes as an exception, and once
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if is_database(uri):
        import mlflow.store.db.utils

        mlflow.store.db.utils.MAX_RETRY_COUNT = 0  # no variable sets it; 100 s for one that is away
    path = file_of(uri)
    if path is not None and not path.exists() and path.parent.is_dir():
        _make_store(path)
    file = identity(uri)
    last, generation = _files.get(uri, (file, 0))
    generation += file != last
    place = address(uri, generation)
    client = MlflowClient(tracking_uri=place, registry_uri=place)
    _files[uri] = identity(uri), generation
    return client


def _make_store(path: Path) -> None:
    """A SQLite store, there with all of its tables or not at all.

    MLflow makes them in dozens of steps that take seconds; killed in between, it could never go on.
    """
    from mlflow import MlflowClient

    new = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex}")
    for left in path.parent.glob(f".{path.name}.*"):
        pid = left.name.removeprefix(f".{path.name}.").partition(".")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):  # it was killed meanwhile
            left.unlink(missing_ok=True)
    try:
        store = MlflowClient(f"sqlite:///{quoted(new)}")._tracking_client.store
        store.engine.dispose()
        os.link(new, path)
    except FileExistsError:  # another process was faster
        pass
    finally:
        new.unlink(missing_ok=True)


# Runs


def make_run(client: MlflowClient, experiment: str, name: str, created: float, tags: Mapping[str, str]) -> str:
    return client.create_run(experiment, milliseconds(created), dict(tags), name).info.run_id


def log(
    client: MlflowClient, run_id: str, points: Iterable[Point], params: Mapping[str, str], tags: Mapping[str, str]
) -> None:
    """One call, unless there is more than MLflow takes in one."""
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
    if status in ("FINISHED", "KILLED", "FAILED"):
        client.set_terminated(run_id, status, milliseconds(ended) if ended else None)
    else:
        client.update_run(run_id, status=status)


def restored(client: MlflowClient, run_id: str) -> Run | None:
    """The run; a deleted one is brought back. None if the store has none."""
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
    """Into MLflow's bin, and not as one that runs."""
    client.set_terminated(run_id, "KILLED")
    client.delete_run(run_id)


def runs_of(client: MlflowClient, experiment: str, uid: str) -> Iterator[Run]:
    """The study's runs, deleted ones included."""
    from mlflow.entities import ViewType

    token = None
    while True:
        page = client.search_runs([experiment], f"tags.`{UID}` = '{uid}'", ViewType.ALL, 1000, page_token=token)
        yield from (run for run in page if run.data.tags.get(NUMBER, "").isdigit())
        token = page.token
        if not token:
            return


def number_of(run: Run) -> int:
    return int(run.data.tags[NUMBER])


def fullness(run: Run) -> tuple[bool, int]:
    return run.info.lifecycle_stage == "active", len(run.data.metrics)


def epochs_of(client: MlflowClient, run_id: str) -> set[tuple[int, int]]:
    """(milliseconds, epoch) of every report that the run shows."""
    return {(point.timestamp, point.step) for point in client.get_metric_history(run_id, EPOCH_SECONDS)}


def own_tags(run: Run, ours: Mapping[str, str]) -> dict[str, str]:
    """The tags that people gave the run."""
    return {name: value for name, value in run.data.tags.items() if name not in ours and name != "mlflow.runName"}


# Experiments


def experiment_or_none(client: MlflowClient, experiment_id: str) -> Experiment | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_experiment(experiment_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def is_deleted(experiment: Experiment) -> bool:
    return experiment.lifecycle_stage == "deleted"
