"""All that knows MLflow: the calls that are made of it, and what it needs to be told about itself."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from orchestrator.tracking.projection import NUMBER, UID, Point
from orchestrator.tracking.store import QUIET

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

POINTS_AT_ONCE, PAIRS_AT_ONCE = 800, 100  # of 1000 points, params and tags that MLflow takes in one call

_IMPATIENT = {  # by itself MLflow tries for many minutes; here the next round tries again
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}


def connect(uri: str) -> MlflowClient:
    for name, value in (QUIET | _IMPATIENT).items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic", "urllib3.connectionpool"):  # migrations and retries are nobody's news
        logging.getLogger(name).setLevel(logging.ERROR)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def log(
    client: MlflowClient, run_id: str, points: list[Point], params: Mapping[str, str], tags: Mapping[str, str]
) -> None:
    """One call, unless there is more than MLflow takes in one."""
    from mlflow.entities import Metric, Param, RunTag

    metrics = [Metric(point.name, point.value, point.at, point.step) for point in points]
    pairs = (
        [Param(name, value) for name, value in params.items()],
        [RunTag(name, value) for name, value in tags.items()],
    )
    calls = max(-(-len(metrics) // POINTS_AT_ONCE), *(-(-len(kind) // PAIRS_AT_ONCE) for kind in pairs))
    for call in range(calls):
        client.log_batch(
            run_id,
            metrics=metrics[call * POINTS_AT_ONCE :][:POINTS_AT_ONCE],
            params=pairs[0][call * PAIRS_AT_ONCE :][:PAIRS_AT_ONCE],
            tags=pairs[1][call * PAIRS_AT_ONCE :][:PAIRS_AT_ONCE],
            synchronous=True,
        )


def set_status(client: MlflowClient, run_id: str, status: str, ended: float | None) -> None:
    if status in ("FINISHED", "KILLED", "FAILED"):
        client.set_terminated(run_id, status, milliseconds(ended) if ended else None)
    else:
        client.update_run(run_id, status=status)


def restored(client: MlflowClient, run_id: str) -> bool:
    """Does the store have the run? A deleted one is brought back."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    if run.info.lifecycle_stage == "deleted":
        client.restore_run(run_id)
    return True


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


def experiment_or_none(client: MlflowClient, experiment_id: str) -> Experiment | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_experiment(experiment_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def restore_experiment(client: MlflowClient, experiment: Experiment) -> None:
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)


def milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
