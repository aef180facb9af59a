"""MLflow as a picture of the ledger: sent in the background, safe to repeat, never asked. All that knows MLflow."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.ledger import Ledger, LedgerError, StudyRow
from orchestrator.ledger.marks import Behind
from orchestrator.secret import mask
from orchestrator.tracking import projection
from orchestrator.tracking.projection import NUMBER, UID, Point
from orchestrator.tracking.store import QUIET, TrackingError, artifacts, is_database
from orchestrator.trial import State

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

ROUND_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0  # between two tries while MLflow is away
TURN_SECONDS = 20.0  # a long round says so often that it is still at it
POINTS_AT_ONCE, PAIRS_AT_ONCE = 800, 100  # of 1000 points, params and tags that MLflow takes in one call

_IMPATIENT = {  # by itself MLflow tries for many minutes; here the next round tries again
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}


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
    with _explaining(uri):
        return _Sender(ledger, study_id, uri, home, afresh=True).round()


def log_report(ledger: Ledger, study_id: int, uri: str, home: Path, directory: Path) -> None:
    """Show the files of `directory` at the study's own run, under report/. Raises TrackingError."""
    with _explaining(uri):
        with contextlib.suppress(_Busy):
            _Sender(ledger, study_id, uri, home).round()
        run_id = ledger.study_of(study_id).mlflow_run_id
        if run_id is None:
            raise TrackingError("MLflow has no run of this study yet; try again in a minute")
        _client(uri).log_artifacts(run_id, str(directory), artifact_path="report")


class Tracker:
    """Sends what MLflow lacks of one study, every two seconds, from a thread of its own.

    Nothing that goes wrong there reaches the study: `warn` is told once, and it is tried again, less and less often.
    MLflow is imported (3 s) when there is a first report to send. status: one line, for people.
    """

    def __init__(
        self, ledger_url: str | Path, study_id: int, uri: str, home: Path, *, warn: Callable[[str], None]
    ) -> None:
        self.status = "waiting for a first report"
        self._ledger_url, self._id, self._uri, self._home, self._warn = ledger_url, study_id, uri, home, warn
        self._warned = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mlflow", daemon=True)
        self._thread.start()

    def close(self, timeout: float = 30.0) -> bool:
        """Send what is left, within `timeout` seconds. Returns whether MLflow has it all now."""
        self._closing.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._say(f"MLflow at {mask(self._uri)} took too long")
        return self.status == _IN_STEP and not self._thread.is_alive()

    def _run(self) -> None:
        ledger: Ledger | None = None
        sender: _Sender | None = None
        pause, last = ROUND_SECONDS, False
        while not last:
            last = self._closing.wait(pause)
            try:
                ledger = ledger or Ledger(self._ledger_url)
                sender = sender or _Sender(ledger, self._id, self._uri, self._home)
                if last or sender.worth_it():
                    sender.round()
                    self.status, pause = _IN_STEP, ROUND_SECONDS
            except _Busy as other:  # `tune sync` is at it: it sends what we would
                self.status = str(other)
            except Exception as error:  # the study goes on, whatever ails MLflow
                self.status = f"MLflow at {mask(self._uri)} takes nothing now: {_line(error)}"
                self._say(self.status)
                sender, pause = None, min(2 * pause, LONGEST_PAUSE_SECONDS)
        if ledger is not None:
            ledger.close()

    def _say(self, line: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(f"{line}; the study goes on, and `tune sync` sends what is missing")


_IN_STEP = "up to date"


class _Busy(TrackingError):
    """Another process sends this study just now."""


class _Sender:
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
        """Send all that is lacking now. Raises _Busy, LedgerError, or whatever MLflow raises."""
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
        client = self._client = self._client or _client(self._uri)
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
            raise _Busy(f"{row.name}: process {other.pid} on {other.host} is sending it just now")

    # The study

    def _study_run(self, client: MlflowClient, row: StudyRow) -> tuple[StudyRow, int]:
        """The study with its experiment and its own run, found or made; and how many runs were made."""
        experiment = self._experiment(client, row)
        run_id = row.mlflow_run_id
        if run_id is None or not _restored(client, run_id):
            # The run is not in this store: then no other that is believed to be there need be.
            self._ledger.marks.enter(self._id, projection.digest(mask(self._uri)), afresh=True)
            run_id = None
        there = self._runs_there(client, row, experiment)[0] if run_id is None else {0: run_id}
        made = 0 not in there
        if made:
            tags = {UID: row.uid, NUMBER: "0"}
            run = client.create_run(experiment, start_time=_ms(row.created), tags=tags, run_name=row.name)
            there[0] = run.info.run_id
        self._ledger.update_study(self._id, mlflow_experiment_id=experiment, mlflow_run_id=there[0])
        params = client.get_run(there[0]).data.params
        new = {name: value for name, value in projection.study_params(row).items() if name not in params}
        _log(client, there[0], [], new, {})
        return self._ledger.study_of(self._id), int(made)

    def _experiment(self, client: MlflowClient, row: StudyRow) -> str:
        """The experiment of the study's name. Of two studies that bore one name in turn, each keeps its own."""
        found = _experiment_or_none(client, row.mlflow_experiment_id) if row.mlflow_experiment_id else None
        if found is None:
            found = client.get_experiment_by_name(row.name)
            owner = None if found is None else self._renamed(found.tags.get(UID))
            if found is not None and owner is not None:
                _restore_experiment(client, found)
                client.rename_experiment(found.experiment_id, owner)
                found = None
        if found is None:
            place = f"{artifacts(self._home)}/{row.name}" if is_database(self._uri) else None
            return client.create_experiment(row.name, artifact_location=place, tags={UID: row.uid})
        _restore_experiment(client, found)
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
        _log(client, row.mlflow_run_id, [], {}, projection.study_tags(row))
        client.update_run(row.mlflow_run_id, name=row.name)
        _set_status(client, row.mlflow_run_id, projection.study_status(row), row.active)
        self._ledger.marks.see_study(self._id, _told(row))

    def _runs_there(
        self, client: MlflowClient, row: StudyRow, experiment: str | None = None
    ) -> tuple[dict[int, str], int]:
        """The store's runs of this study by trial number (0: its own), restored if deleted; how many doubles went.

        A number has two runs when a process died, or a server answered too late, after a run was made and before its id
        was kept. Nothing is in the other one that is not sent again.
        """
        runs = sorted(_runs(client, experiment or row.mlflow_experiment_id or "", row.uid), key=_number)
        there: dict[int, str] = {}
        removed = 0
        for number, group in groupby(runs, key=_number):
            kept, *doubles = sorted(group, key=_fullness, reverse=True)
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
            name, start = projection.trial_name(trial), _ms(trial.created)
            run = client.create_run(row.mlflow_experiment_id or "", start_time=start, tags=tags, run_name=name)
            run_id = run.info.run_id
        if run_id != trial.mlflow_run_id:
            marks.known_run(self._id, trial.number, run_id)
        points = projection.points_of(lack.unseen)
        if trial.test:
            points += projection.test_points(self._ledger.trial(self._id, trial.number), row.objective)
        _log(client, run_id, points, projection.trial_params(trial) if lack.status is None else {}, tags)
        if status != ("RUNNING" if made else lack.status):
            _set_status(client, run_id, status, trial.ended)
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
        if run_id is not None and not _restored(client, run_id):
            self._ledger.marks.known_run(self._id, lack.trial.number, None)
        return True


def _status(state: State, row: StudyRow) -> str:
    return projection.status_of(state, study_runs=row.status == "running")


def _told(row: StudyRow) -> str:
    return projection.digest(row.name, projection.study_tags(row))


# MLflow


def _client(uri: str) -> MlflowClient:
    for name, value in (QUIET | _IMPATIENT).items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic", "urllib3.connectionpool"):  # migrations and retries are nobody's news
        logging.getLogger(name).setLevel(logging.ERROR)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _log(
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


def _set_status(client: MlflowClient, run_id: str, status: str, ended: float | None) -> None:
    if status in ("FINISHED", "KILLED", "FAILED"):
        client.set_terminated(run_id, status, _ms(ended) if ended else None)
    else:
        client.update_run(run_id, status=status)


def _restored(client: MlflowClient, run_id: str) -> bool:
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


def _runs(client: MlflowClient, experiment: str, uid: str) -> Iterator[Run]:
    """The study's runs, deleted ones included."""
    from mlflow.entities import ViewType

    token = None
    while True:
        page = client.search_runs([experiment], f"tags.`{UID}` = '{uid}'", ViewType.ALL, 1000, page_token=token)
        yield from (run for run in page if run.data.tags.get(NUMBER, "").isdigit())
        token = page.token
        if not token:
            return


def _number(run: Run) -> int:
    return int(run.data.tags[NUMBER])


def _fullness(run: Run) -> tuple[bool, int]:
    return run.info.lifecycle_stage == "active", len(run.data.metrics)


def _experiment_or_none(client: MlflowClient, experiment_id: str) -> Experiment | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_experiment(experiment_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _restore_experiment(client: MlflowClient, experiment: Experiment) -> None:
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)


# Words

_GISTS = (  # in errors that tell it last, after half a page of addresses and class names
    "Connection refused",
    "Connection reset",
    "Connection aborted",
    "timed out",
    "Name or service not known",
    "Permission denied",
    "disk is full",
)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


@contextlib.contextmanager
def _explaining(uri: str) -> Iterator[None]:
    try:
        yield
    except (TrackingError, LedgerError):
        raise
    except Exception as error:  # of MLflow, of its database, of the network: any of dozens of classes
        raise TrackingError(f"MLflow at {mask(uri)}: {_line(error)}") from error


def _line(error: Exception) -> str:
    """The gist of an error in one line, without passwords."""
    text = str(error).strip()
    for gist in _GISTS:
        if gist in text:
            return gist
    first = text.splitlines()[0] if text else type(error).__name__
    return mask(first)[:300]
