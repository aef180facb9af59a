"""Sends a whole study, or a report, to MLflow while the caller waits."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from orchestrator.ledger import Ledger, LedgerError, StudyRow
from orchestrator.secret import mask
from orchestrator.tracking.mlflow_client import connect, describe, experiment_or_none, is_deleted, runs_of, store_files
from orchestrator.tracking.projection import UID, environment
from orchestrator.tracking.sender import Busy, Sender, SyncResult
from orchestrator.tracking.store import TrackingError, explaining, file_of

TRIES, TRIES_APART_SECONDS = 2, 1.0  # So many tries without any progress.


def sync(ledger: Ledger, study_id: int, uri: str, home: Path) -> SyncResult:
    """Makes MLflow equal to the ledger for one study, whatever it holds; restores what was deleted there.

    Everything is sent again, because MLflow stores a point once, however often it arrives. After an error the server is
    tried again as long as there is progress. Raises TrackingError.
    """
    sender = Sender(ledger, study_id, uri, home, afresh=True)
    tries, sent = TRIES, 0
    with explaining(uri):
        while True:
            try:
                sender.round(closing=True)
                return sender.result
            except (TrackingError, LedgerError):
                raise
            except Exception:
                further = sender.result.trials_sent > sent
                tries, sent = (TRIES if further else tries - 1), sender.result.trials_sent
                if not tries:
                    raise
                time.sleep(TRIES_APART_SECONDS)


def forget(row: StudyRow, uri: str) -> None:
    """Deletes the study's runs in MLflow, and its experiment where no other run is in it; both can be restored there.

    May be repeated. Raises TrackingError.
    """
    file = file_of(uri)
    if row.mlflow_experiment_id is None or (file is not None and not file.exists()):
        return
    with explaining(uri):
        client = connect(uri)
        experiment = experiment_or_none(client, row.mlflow_experiment_id)
        if experiment is None:
            return
        for run in runs_of(client, experiment.experiment_id, row.uid):
            if run.info.lifecycle_stage == "active":
                client.delete_run(run.info.run_id)
        own = experiment.tags.get(UID) == row.uid and not is_deleted(experiment)
        if own and not client.search_runs([experiment.experiment_id], max_results=1):
            client.delete_experiment(experiment.experiment_id)


def log_report(
    ledger: Ledger,
    study_id: int,
    uri: str,
    home: Path,
    files: Sequence[Path],
    name: str = "report",
    *,
    description: str | None = None,
    timeout: float = 60.0,
) -> None:
    """Sends the files to the study's own run, below `name`/, and the study's facts beside them.

    description: of the run, as Markdown. Raises TrackingError, within `timeout` seconds.
    """
    failed: list[Exception] = []

    def show() -> None:
        try:
            with explaining(uri):
                run_id = Sender(ledger, study_id, uri, home).study_run()
                client, facts = connect(uri, home), environment(ledger.study_of(study_id))
                if description is not None:
                    describe(client, run_id, description)
                text = json.dumps(facts, ensure_ascii=False, indent=1)
                store_files(client, run_id, files, name, {"environment.json": text})
        except Busy:  # Usually a thread of this process, whose time ran out at the end of the study.
            failed.append(TrackingError(f"MLflow at {mask(uri)}: still takes the trials, and no report yet"))
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=show, name="mlflow report", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise TrackingError(f"MLflow at {mask(uri)}: took longer than {timeout:.0f} s")
    for error in failed:
        raise error
