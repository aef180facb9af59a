"""Finds, creates and removes the runs of one study in MLflow: its own, and those of its trials."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.ledger import Ledger, StudyRow
from orchestrator.tracking.experiment import find_or_make_experiment
from orchestrator.tracking.mlflow_client import (
    ABOUT_ONE_RUN,
    completeness,
    log,
    make_run,
    number_of,
    remove_run,
    restored,
    runs_of,
)
from orchestrator.tracking.projection import NUMBER, UID, study_params
from orchestrator.tracking.relocation import bring_home
from orchestrator.tracking.study_mark import StudyMark

if TYPE_CHECKING:
    from orchestrator.tracking.mlflow_client import MlflowClient


class StudyRuns:
    """Knows which run is whose. made, removed: how many it has created and removed."""

    def __init__(self, ledger: Ledger, study_id: int, uri: str, home: Path, mark: StudyMark) -> None:
        self.made = self.removed = 0
        self._ledger, self._id, self._uri, self._home, self._mark = ledger, study_id, uri, home, mark

    def own(self, client: MlflowClient, row: StudyRow) -> StudyRow:
        """Returns the study's row with its experiment and its own run, which are found or created."""
        run = restored(client, row.mlflow_run_id) if row.mlflow_run_id else None
        if run is None:
            # Where this run is not in the store, the others may not be there either.
            self._mark.enter(afresh=True)
        bring_home(self._uri, self._home, (other.uid for other in self._ledger.studies()))
        experiment = find_or_make_experiment(
            client, self._ledger, row, self._uri, self._home, holds_run=run.info.experiment_id if run else None
        )
        run_id = run.info.run_id if run else self.existing(client, row, experiment).get(0)
        if run_id is None:
            run_id = self.make(client, experiment, row.name, row.created, {UID: row.uid, NUMBER: "0"})
        self._ledger.update_study(self._id, mlflow_experiment_id=experiment, mlflow_run_id=run_id)
        params = run.data.params if run else {}
        log(client, run_id, [], {k: v for k, v in study_params(row).items() if k not in params}, {})
        return self._ledger.study_of(self._id)

    def existing(self, client: MlflowClient, row: StudyRow, experiment: str | None = None) -> dict[int, str]:
        """Returns the study's runs in the store by trial number (0: its own); restores deleted ones, removes doubles.

        A number has two runs where a process died, or a server answered too late, after a run was created and before
        the ledger had its id. Whatever only the removed run shows is sent again.
        """
        ours = {trial.mlflow_run_id for trial in self._ledger.trials(self._id, reports=False)} | {row.mlflow_run_id}
        runs = sorted(runs_of(client, experiment or row.mlflow_experiment_id or "", row.uid), key=number_of)
        existing: dict[int, str] = {}
        for number, group in groupby(runs, key=number_of):
            kept, *doubles = sorted(group, key=lambda run: (run.info.run_id in ours, *completeness(run)), reverse=True)
            existing[number] = kept.info.run_id
            if kept.info.lifecycle_stage == "deleted":
                client.restore_run(kept.info.run_id)
            for double in doubles:
                if double.info.lifecycle_stage != "deleted":
                    self.remove(client, double.info.run_id)
        return existing

    def make(self, client: MlflowClient, experiment: str, name: str, created: float, tags: Mapping[str, str]) -> str:
        """Creates a run; returns its id. Where the server fails to answer, notes that the run may have been created."""
        try:
            run_id = make_run(client, experiment, name, created, tags)
        except Exception as error:
            if getattr(error, "error_code", None) not in ABOUT_ONE_RUN:
                self._mark.uncertain_from_now()
            raise
        self.made += 1
        return run_id

    def remove(self, client: MlflowClient, run_id: str) -> None:
        """Removes a run that shows what is not so."""
        remove_run(client, run_id)
        self.removed += 1
