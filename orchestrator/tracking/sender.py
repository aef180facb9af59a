"""Brings MLflow up to date about one study; what was sent stands in the ledger, so that all is safe to repeat."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.ledger import Ledger, StudyRow
from orchestrator.ledger.marks import Behind
from orchestrator.secret import mask
from orchestrator.tracking import projection
from orchestrator.tracking.projection import NUMBER, UID
from orchestrator.tracking.store import TrackingError, artifacts, explaining, is_database
from orchestrator.tracking.tracking import (
    connect,
    experiment_or_none,
    fullness,
    log,
    milliseconds,
    number_of,
    restore_experiment,
    restored,
    runs_of,
    set_status,
)
from orchestrator.trial import State

if TYPE_CHECKING:
    from orchestrator.tracking.tracking import MlflowClient

TURN_SECONDS = 20.0  # a long round says so often that it is still at it


@dataclass(frozen=True)
class SyncResult:
    """What was sent. removed: runs that stood for a trial a second time."""

    runs_created: int = 0
    trials_sent: int = 0
    reports_sent: int = 0
    removed: int = 0

    def __str__(self) -> str:
        text = f"{self.trials_sent} trials with {self.reports_sent} reports sent, {self.runs_created} runs made"
        return text + (f", {self.removed} doubles removed" if self.removed else "")


def sync(ledger: Ledger, study_id: int, uri: str, home: Path) -> SyncResult:
    """Make MLflow equal to the ledger for one study, whatever it holds; what was deleted there comes back.

    All is sent again: MLflow's databases keep a point once, however often it comes. Raises TrackingError.
    """
    with explaining(uri):
        return Sender(ledger, study_id, uri, home, afresh=True).round()


def log_report(ledger: Ledger, study_id: int, uri: str, home: Path, directory: Path) -> None:
    """Show the files of `directory` at the study's own run, under report/. Raises TrackingError."""
    with explaining(uri):
        with contextlib.suppress(Busy):
            Sender(ledger, study_id, uri, home).round()
        run_id = ledger.study_of(study_id).mlflow_run_id
        if run_id is None:
            raise TrackingError("MLflow has no run of this study yet; try again in a minute")
        connect(uri).log_artifacts(run_id, str(directory), artifact_path="report")


class Busy(TrackingError):
    """Another process sends this study just now."""


class Sender:
    """Brings MLflow up to date about one study. afresh: in its first round nothing is taken for sent.

    MLflow is reached for only when there is something to send.
    """

    def __init__(self, ledger: Ledger, study_id: int, uri: str, home: Path, *, afresh: bool = False) -> None:
        self._ledger, self._id, self._uri, self._home, self._afresh = ledger, study_id, uri, home, afresh
        self._client: MlflowClient | None = None
        self._checked = False  # that the store has the study's experiment and run

    def worth_it(self) -> bool:
        """Is there a report, an end or a change of state that MLflow lacks?"""
        self._ledger.marks.enter(self._id, projection.digest(mask(self._uri)))
        behind = self._behind(self._ledger.study_of(self._id))
        return any(lack.unseen or lack.trial.state.final or lack.status for lack in behind)

    def round(self) -> SyncResult:
        """Send all that is lacking now. Raises Busy, LedgerError, or whatever MLflow raises."""
        marks = self._ledger.marks
        marks.enter(self._id, projection.digest(mask(self._uri)))
        row = self._ledger.study_of(self._id)
        if not self._afresh and not self._behind(row) and marks.study_seen(self._id) == _told(row):
            return SyncResult()
        self._take_turn(row)
        try:
            return self._send(row)
        finally:
            marks.end(self._id)

    def _send(self, row: StudyRow) -> SyncResult:
        client = self._client = self._client or connect(self._uri)
        if self._afresh:
            self._ledger.marks.enter(self._id, projection.digest(mask(self._uri)), afresh=True)
        row, made = self._study_run(client, row) if not self._checked else (row, 0)
        behind = self._behind(row)
        unsure = self._afresh or any(lack.unsure for lack in behind)
        known, removed = self._runs_there(client, row) if unsure else ({}, 0)
        self._checked, self._afresh = True, False
        self._tell_study(client, row)
        sent = reports = 0
        refused: Exception | None = None
        turn = time.monotonic()
        for lack in behind:
            if time.monotonic() - turn > TURN_SECONDS:
                self._take_turn(row)
                turn = time.monotonic()
            try:
                made += self._send_trial(client, row, lack, known.get(lack.trial.number))
            except Exception as error:
                if not self._only_this(client, lack, error):
                    raise
                refused = refused or error
            else:
                sent, reports = sent + 1, reports + len(lack.unseen)
        if refused is not None:
            raise refused
        return SyncResult(made, sent, reports, removed)

    def _behind(self, row: StudyRow) -> list[Behind]:
        return self._ledger.marks.behind(self._id, {State.RUNNING: _status(State.RUNNING, row)})

    def _take_turn(self, row: StudyRow) -> None:
        other = self._ledger.marks.begin(self._id)
        if other is not None:
            raise Busy(f"{row.name}: process {other.pid} on {other.host} is sending it just now")

    # The study

    def _study_run(self, client: MlflowClient, row: StudyRow) -> tuple[StudyRow, int]:
        """The study with its experiment and its own run, found or made; and how many runs were made."""
        experiment = self._experiment(client, row)
        run_id = row.mlflow_run_id
        if run_id is None or not restored(client, run_id):
            # The run is not in this store: then no other that is believed to be there need be.
            self._ledger.marks.enter(self._id, projection.digest(mask(self._uri)), afresh=True)
            run_id = None
        there = self._runs_there(client, row, experiment)[0] if run_id is None else {0: run_id}
        made = 0 not in there
        if made:
            tags = {UID: row.uid, NUMBER: "0"}
            run = client.create_run(experiment, start_time=milliseconds(row.created), tags=tags, run_name=row.name)
            there[0] = run.info.run_id
        self._ledger.update_study(self._id, mlflow_experiment_id=experiment, mlflow_run_id=there[0])
        params = client.get_run(there[0]).data.params
        new = {name: value for name, value in projection.study_params(row).items() if name not in params}
        log(client, there[0], [], new, {})
        return self._ledger.study_of(self._id), int(made)

    def _experiment(self, client: MlflowClient, row: StudyRow) -> str:
        """The experiment of the study's name. Of two studies that bore one name in turn, each keeps its own."""
        found = experiment_or_none(client, row.mlflow_experiment_id) if row.mlflow_experiment_id else None
        if found is None:
            found = client.get_experiment_by_name(row.name)
            owner = None if found is None else self._renamed(found.tags.get(UID))
            if found is not None and owner is not None:
                restore_experiment(client, found)
                client.rename_experiment(found.experiment_id, owner)
                found = None
        if found is None:
            place = f"{artifacts(self._home)}/{row.name}" if is_database(self._uri) else None
            return client.create_experiment(row.name, artifact_location=place, tags={UID: row.uid})
        restore_experiment(client, found)
        if found.name != row.name and found.tags.get(UID) == row.uid:
            client.rename_experiment(found.experiment_id, row.name)
        return found.experiment_id

    def _renamed(self, uid: str | None) -> str | None:
        """The name that another study of this ledger has now."""
        return next((row.name for row in self._ledger.studies() if row.uid == uid and row.id != self._id), None)

    def _tell_study(self, client: MlflowClient, row: StudyRow) -> None:
        if self._ledger.marks.study_seen(self._id) == _told(row):
            return
        assert row.mlflow_run_id is not None
        log(client, row.mlflow_run_id, [], {}, projection.study_tags(row))
        client.update_run(row.mlflow_run_id, name=row.name)
        set_status(client, row.mlflow_run_id, projection.study_status(row), row.active)
        self._ledger.marks.see_study(self._id, _told(row))

    def _runs_there(
        self, client: MlflowClient, row: StudyRow, experiment: str | None = None
    ) -> tuple[dict[int, str], int]:
        """The store's runs of this study by trial number (0: its own), restored if deleted; how many doubles went.

        A number has two runs when a process died, or a server answered too late, after a run was made and before its id
        was kept. Nothing is in the other one that is not sent again.
        """
        runs = sorted(runs_of(client, experiment or row.mlflow_experiment_id or "", row.uid), key=number_of)
        there: dict[int, str] = {}
        removed = 0
        for number, group in groupby(runs, key=number_of):
            kept, *doubles = sorted(group, key=fullness, reverse=True)
            there[number] = kept.info.run_id
            if kept.info.lifecycle_stage == "deleted":
                client.restore_run(kept.info.run_id)
            for double in doubles:
                if double.info.lifecycle_stage != "deleted":
                    client.delete_run(double.info.run_id)
                    removed += 1
        return there, removed

    # A trial

    def _send_trial(self, client: MlflowClient, row: StudyRow, lack: Behind, there: str | None) -> int:
        """Returns how many runs were made."""
        marks, trial, status = self._ledger.marks, lack.trial, _status(lack.trial.state, row)
        tags = projection.trial_tags(trial, row) | {"mlflow.parentRunId": row.mlflow_run_id or ""}
        run_id = trial.mlflow_run_id or there
        made = run_id is None
        if run_id is None:
            marks.expect_run(self._id, trial.number)
            name, start = projection.trial_name(trial), milliseconds(trial.created)
            run = client.create_run(row.mlflow_experiment_id or "", start_time=start, tags=tags, run_name=name)
            run_id = run.info.run_id
        if run_id != trial.mlflow_run_id:
            marks.known_run(self._id, trial.number, run_id)
        points = projection.points_of(lack.unseen)
        if trial.test:
            points += projection.test_points(self._ledger.trial(self._id, trial.number), row.objective)
        log(client, run_id, points, projection.trial_params(trial) if lack.status is None else {}, tags)
        if status != ("RUNNING" if made else lack.status):
            set_status(client, run_id, status, trial.ended)
        marks.seen(self._id, trial.number, lack.revision, status)
        return int(made)

    def _only_this(self, client: MlflowClient, lack: Behind, error: Exception) -> bool:
        """Is the error about this trial only, so that the others can be sent? A run that went is healed next round."""
        if getattr(error, "error_code", None) not in (
            "INVALID_PARAMETER_VALUE",
            "RESOURCE_DOES_NOT_EXIST",
            "INVALID_STATE",
        ):
            return False
        run_id = lack.trial.mlflow_run_id
        if run_id is not None and not restored(client, run_id):
            self._ledger.marks.known_run(self._id, lack.trial.number, None)
        return True


def _status(state: State, row: StudyRow) -> str:
    return projection.status_of(state, study_runs=row.status == "running")


def _told(row: StudyRow) -> str:
    return projection.digest(row.name, projection.study_tags(row))
