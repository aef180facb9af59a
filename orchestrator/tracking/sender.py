"""Brings MLflow up to date about one study; the ledger knows what was sent, so that everything may be repeated."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.ledger import Ledger, StudyRow
from orchestrator.ledger.mlflow_marks import Behind
from orchestrator.tracking.best_sender import BestSender
from orchestrator.tracking.best_so_far import trial_best_points
from orchestrator.tracking.checkpoint_address import Checkpoints
from orchestrator.tracking.mlflow_client import (
    ABOUT_ONE_RUN,
    connect,
    epochs_of,
    log,
    own_tags,
    restored,
    set_status,
)
from orchestrator.tracking.projection import (
    digest,
    milliseconds,
    points_of,
    status_of,
    study_status,
    study_tags,
    test_points,
    trial_name,
    trial_params,
    trial_tags,
    valid_reports,
)
from orchestrator.tracking.store import TrackingError, gist_of, identity
from orchestrator.tracking.study_mark import StudyMark
from orchestrator.tracking.study_runs import StudyRuns
from orchestrator.trial import Report, State

if TYPE_CHECKING:
    from orchestrator.tracking.mlflow_client import MlflowClient

TURN_SECONDS = 20.0  # In a long round, the ledger is told so often that this process is still sending.
REFUSALS_IN_A_ROW = 3  # More trials in a row that a working server refuses have a common cause.


@dataclass(frozen=True)
class SyncResult:
    """Counts what was sent. removed: second runs of a trial, and runs with epochs that were repeated later."""

    runs_created: int = 0
    trials_sent: int = 0
    reports_sent: int = 0
    removed: int = 0

    def __str__(self) -> str:
        text = f"{self.trials_sent} trials with {self.reports_sent} reports sent, {self.runs_created} runs made"
        return text + (f", {self.removed} doubles removed" if self.removed else "")


class Busy(TrackingError):
    """Says that another process is sending this study."""


class Refused(Exception):
    """Says that a working MLflow refused one trial; the others were sent."""


class Sender:
    """Brings MLflow up to date about one study. afresh: the first round sends everything again.

    It connects to MLflow only when there is something to send. After an error the next round starts anew.
    """

    def __init__(self, ledger: Ledger, study_id: int, uri: str, home: Path, *, afresh: bool = False) -> None:
        self._ledger, self._id, self._uri, self._home, self._afresh = ledger, study_id, uri, home, afresh
        self._mark = StudyMark(ledger.marks, study_id, uri)
        self._runs = StudyRuns(ledger, study_id, uri, home, self._mark)
        self._trials_sent = self._reports_sent = 0
        self._client: MlflowClient | None = None
        self._file: tuple[int, int] | None = None  # The identity of the store's file when it was opened.
        self._compared: set[tuple[str, int, bool]] = set()  # Restarted trials whose run shows only valid reports.
        self._best = BestSender(ledger, study_id, home)
        self._tagged: dict[int, dict[str, str]] = {}  # By the number of an unfinished trial, the tags of its run.

    @property
    def result(self) -> SyncResult:
        """Returns what was sent in all rounds."""
        return SyncResult(self._runs.made, self._trials_sent, self._reports_sent, self._runs.removed)

    def has_news(self) -> bool:
        """Returns whether MLflow lacks a report, the end of a trial or a change of state."""
        row = self._row()
        mark = self._mark
        if mark.file_deleted or mark.look_is_due or (self._client is None and mark.uncertain_since):
            return True
        return any(lack.unseen or lack.trial.state.final or lack.status for lack in self._behind(row))

    def missing(self) -> str | None:
        """Says in words what MLflow lacks; None where it lacks nothing."""
        row = self._row()
        behind, mark = self._behind(row), self._mark
        if behind:
            reports = sum(len(lack.unseen) for lack in behind)
            return f"{_count(len(behind), 'trial')} with {_count(reports, 'report')}"
        if mark.sent != _state(row):
            return "how the study ended"
        return "a last look for runs made twice" if mark.uncertain_since or mark.file_deleted else None

    def round(self, *, closing: bool = False) -> None:
        """Sends everything that MLflow lacks now. closing: no round follows soon.

        Raises Busy, LedgerError, Refused, or whatever MLflow raises.
        """
        row = self._row()
        self._take_turn(row)
        try:
            self._send(row, closing)
        except Exception:
            self._client = None
            if self._mark.uncertain_since:  # What is under way may arrive even later.
                self._mark.uncertain_from_now()
            raise
        finally:
            self._ledger.marks.end(self._id)

    def study_run(self) -> str:
        """Returns the id of the study's own run, which is created if need be. Raises what `round` raises."""
        row = self._row()
        self._take_turn(row)
        try:
            run_id = self._runs.own(connect(self._uri, self._home), row).mlflow_run_id
            assert run_id is not None
            return run_id
        finally:
            self._ledger.marks.end(self._id)

    def _send(self, row: StudyRow, closing: bool) -> None:
        # Another file has taken its place, or none is there.
        if self._client is not None and identity(self._uri) != self._file:
            self._client, self._afresh = None, True
        first = self._client is None
        client = self._client or connect(self._uri, self._home)
        if first:
            self._file = identity(self._uri)
            self._tagged.clear()
            if self._afresh:
                self._mark.enter(afresh=True)
            row = self._runs.own(client, row)
        behind = self._behind(row)
        look = self._mark.look_is_due or (self._mark.uncertain_since and (first or closing)) or (first and self._afresh)
        known: Mapping[int, str] = {}
        if look or any(lack.unsure for lack in behind):
            known = self._runs.existing(client, row)
            self._mark.settle()
        self._client, self._afresh = client, False
        self._send_study(client, row)
        self._best.send(client, row, behind, look=first or closing)
        self._send_trials(client, row, behind, known)

    def _send_trials(
        self, client: MlflowClient, row: StudyRow, behind: Sequence[Behind], known: Mapping[int, str]
    ) -> None:
        refused: list[Refused] = []
        turn, in_a_row = time.monotonic(), 0
        for lack in behind:
            if time.monotonic() - turn > TURN_SECONDS:
                self._take_turn(row)
                turn = time.monotonic()
            try:
                self._send_trial(client, row, lack, known.get(lack.trial.number))
                in_a_row = 0
            except Exception as error:
                in_a_row += 1
                if in_a_row > REFUSALS_IN_A_ROW or not self._only_this(client, row, lack, error):
                    raise
                refused.append(Refused(f"trial {lack.trial.number}: {gist_of(error)}"))
        if refused:
            raise refused[0]

    # What is known

    def _row(self) -> StudyRow:
        """Returns the study as the ledger has it now."""
        self._mark.enter()
        return self._ledger.study_of(self._id)

    def _behind(self, row: StudyRow) -> list[Behind]:
        """Returns the trials of which MLflow lacks something."""
        return self._ledger.marks.behind(self._id, {State.RUNNING: _status(State.RUNNING, row)})

    def _take_turn(self, row: StudyRow) -> None:
        """Tells the ledger that this process is sending the study. Raises Busy where another one is."""
        other = self._ledger.marks.begin(self._id)
        if other is not None:
            raise Busy(f"{row.name}: process {other.pid} on {other.host} is sending it just now")

    # What is sent

    def _send_study(self, client: MlflowClient, row: StudyRow) -> None:
        """Sends the study's state to its own run, if it has changed."""
        if self._mark.sent == _state(row):
            return
        assert row.mlflow_run_id is not None
        log(client, row.mlflow_run_id, [], {}, study_tags(row))
        client.update_run(row.mlflow_run_id, name=row.name)
        set_status(client, row.mlflow_run_id, study_status(row), row.active)
        self._mark.sent = _state(row)

    def _send_trial(self, client: MlflowClient, row: StudyRow, lack: Behind, found: str | None) -> None:
        """Sends what MLflow lacks of a trial. found: the id of its run, where runs were looked for and it has one."""
        marks, trial, status = self._ledger.marks, lack.trial, _status(lack.trial.state, row)
        at_rest = trial.state is not State.RUNNING
        tags = trial_tags(trial, row) | {"mlflow.parentRunId": row.mlflow_run_id or ""}
        if at_rest or trial.test or (lack.unseen and lack.unseen[0].epoch > 1):
            whole = self._ledger.trial(self._id, trial.number)
        else:
            whole = replace(trial, reports=lack.unseen)
        if at_rest:
            tags["checkpoint"] = Checkpoints(row, self._home).of(whole, self._best.trial)
        run_id, unseen, tagged = trial.mlflow_run_id or found, lack.unseen, self._tagged.pop(trial.number, {})
        if trial.attempts > 1 and run_id is not None:
            run_id, unseen, theirs = self._after_restart(client, lack, run_id, tags)
            tags = theirs | tags
        made = run_id is None
        if run_id is None:
            marks.expect_run(self._id, trial.number)
            experiment, name = row.mlflow_experiment_id or "", trial_name(trial)
            run_id, tagged = self._runs.make(client, experiment, name, trial.created, tags), tags
        if made or run_id != trial.mlflow_run_id:
            marks.known_run(self._id, trial.number, run_id)
        epochs = {report.epoch for report in unseen}
        best = trial_best_points(whole, valid_reports(whole), row.objective)
        points = points_of(unseen, row.objective) + [point for point in best if point.step in epochs]
        points += test_points(whole, row.objective)
        params = trial_params(trial) if made or lack.status is None else {}
        log(client, run_id, points, params, {name: tag for name, tag in tags.items() if tagged.get(name) != tag})
        if status != ("RUNNING" if made else lack.status):
            set_status(client, run_id, status, trial.ended)
        marks.seen(self._id, trial.number, lack.revision, status)
        if not trial.state.final:
            self._tagged[trial.number] = tags
        self._trials_sent += 1
        self._reports_sent += len(unseen)

    def _after_restart(
        self, client: MlflowClient, lack: Behind, run_id: str, tags: Mapping[str, str]
    ) -> tuple[str | None, tuple[Report, ...], dict[str, str]]:
        """Returns the run of a restarted trial, the reports that it lacks, and the tags that people gave it.

        MLflow never deletes a point: a run that shows reports which are no longer valid is removed, and the id is None.
        The run is looked up once an attempt, with its first report, and once at the end.
        """
        trial = self._ledger.trial(self._id, lack.trial.number)
        valid = valid_reports(trial)
        at_rest = trial.state is not State.RUNNING
        wanted = {(milliseconds(report.at), report.epoch): report for report in valid}
        this = (run_id, trial.attempts, at_rest)
        if this in self._compared or not (lack.unseen or at_rest):
            return run_id, tuple(r for r in lack.unseen if (milliseconds(r.at), r.epoch) in wanted), {}
        shown = epochs_of(client, run_id)
        self._compared.add(this)
        if shown <= wanted.keys():
            return run_id, tuple(report for key, report in wanted.items() if key not in shown), {}
        run = restored(client, run_id)
        self._ledger.marks.known_run(self._id, trial.number, None)
        self._runs.remove(client, run_id)
        return None, valid, own_tags(run, tags) if run else {}

    def _only_this(self, client: MlflowClient, row: StudyRow, lack: Behind, error: Exception) -> bool:
        """Returns whether the error concerns this trial only, so that the others can be sent.

        A run that has been deleted is forgotten, so that the next round creates it again.
        """
        if getattr(error, "error_code", None) not in ABOUT_ONE_RUN:
            return "locked" not in str(error) and _is_well(client, row)
        run_id = lack.trial.mlflow_run_id
        if run_id is not None and restored(client, run_id) is None:
            self._ledger.marks.known_run(self._id, lack.trial.number, None)
        return True


def _is_well(client: MlflowClient, row: StudyRow) -> bool:
    """Returns whether MLflow answers and has the study's own run."""
    try:
        return row.mlflow_run_id is not None and restored(client, row.mlflow_run_id) is not None
    except Exception:  # Whatever it raises, MLflow does not work.
        return False


def _status(state: State, row: StudyRow) -> str:
    return status_of(state, study_runs=row.status == "running")


def _state(row: StudyRow) -> str:
    """Returns a digest of what the study's own run is to show."""
    return digest(row.name, study_tags(row))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
