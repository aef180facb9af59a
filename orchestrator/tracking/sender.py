"""Brings MLflow up to date about one study; what was sent stands in the ledger, so that all is safe to repeat."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.ledger import Ledger, StudyRow
from orchestrator.ledger.mlflow_marks import Behind
from orchestrator.tracking.experiment import find_or_make_experiment
from orchestrator.tracking.mlflow_client import (
    ABOUT_ONE_RUN,
    connect,
    epochs_of,
    fullness,
    log,
    make_run,
    number_of,
    own_tags,
    remove_run,
    restored,
    runs_of,
    set_status,
)
from orchestrator.tracking.projection import (
    NUMBER,
    UID,
    digest,
    milliseconds,
    points_of,
    standing,
    status_of,
    study_params,
    study_status,
    study_tags,
    test_points,
    trial_name,
    trial_params,
    trial_tags,
)
from orchestrator.tracking.store import TrackingError, gist_of, identity
from orchestrator.tracking.study_mark import StudyMark
from orchestrator.trial import Report, State

if TYPE_CHECKING:
    from orchestrator.tracking.mlflow_client import MlflowClient

TURN_SECONDS = 20.0  # a long round says so often that it is still at it
REFUSALS_IN_A_ROW = 3  # of trials that a well server does not take; more are no accident


@dataclass(frozen=True)
class SyncResult:
    """What was sent. removed: runs that stood for a trial a second time, or with epochs that were repeated."""

    runs_created: int = 0
    trials_sent: int = 0
    reports_sent: int = 0
    removed: int = 0

    def __str__(self) -> str:
        text = f"{self.trials_sent} trials with {self.reports_sent} reports sent, {self.runs_created} runs made"
        return text + (f", {self.removed} doubles removed" if self.removed else "")


class Busy(TrackingError):
    """Another process sends this study just now."""


class Refused(Exception):
    """MLflow is well, but does not take one trial; the others were sent."""


class Sender:
    """Brings MLflow up to date about one study. afresh: in its first round nothing is taken for sent.

    MLflow is reached for only when there is something to send. After an error the next round begins from the start.
    result: what was sent in all rounds.
    """

    def __init__(self, ledger: Ledger, study_id: int, uri: str, home: Path, *, afresh: bool = False) -> None:
        self.result = SyncResult()
        self._ledger, self._id, self._uri, self._home, self._afresh = ledger, study_id, uri, home, afresh
        self._mark = StudyMark(ledger.marks, study_id, uri)
        self._client: MlflowClient | None = None
        self._file: tuple[int, int] | None = None  # of the store, when it was reached
        self._compared: set[tuple[str, int, bool]] = set()  # restarted trials whose run shows no more than it should
        self._tagged: dict[int, dict[str, str]] = {}  # by the number of an unfinished trial: tags that its run has

    def worth_it(self) -> bool:
        """Is there a report, an end or a change of state that MLflow lacks?"""
        row = self._row()
        mark = self._mark
        if mark.lost or mark.late or (self._client is None and mark.doubt):
            return True
        return any(lack.unseen or lack.trial.state.final or lack.status for lack in self._behind(row))

    def lacks(self) -> str | None:
        """What MLflow lacks, in words; None if nothing."""
        row = self._row()
        behind, mark = self._behind(row), self._mark
        if behind:
            reports = sum(len(lack.unseen) for lack in behind)
            return f"{_count(len(behind), 'trial')} with {_count(reports, 'report')}"
        if mark.told != _state(row):
            return "how the study ended"
        return "a last look for runs made twice" if mark.doubt or mark.lost else None

    def round(self, *, closing: bool = False) -> None:
        """Send all that is lacking now. closing: no round follows soon.

        Raises Busy, LedgerError, Refused, or whatever MLflow raises.
        """
        row = self._row()
        self._take_turn(row)
        try:
            self._send(row, closing)
        except Exception:
            self._client = None
            if self._mark.doubt:  # what is under way may arrive later still
                self._mark.doubt_from_now()
            raise
        finally:
            self._ledger.marks.end(self._id)

    def study_run(self) -> str:
        """The id of the study's own run, made if need be. Raises as `round`."""
        row = self._row()
        self._take_turn(row)
        try:
            run_id = self._study_run(connect(self._uri), row).mlflow_run_id
            assert run_id is not None
            return run_id
        finally:
            self._ledger.marks.end(self._id)

    def _send(self, row: StudyRow, closing: bool) -> None:
        if self._client is not None and identity(self._uri) != self._file:  # another file lies there now, or none
            self._client, self._afresh = None, True
        first = self._client is None
        client = self._client or connect(self._uri)
        if first:
            self._file = identity(self._uri)
            self._tagged.clear()
            if self._afresh:
                self._mark.enter(afresh=True)
            row = self._study_run(client, row)
        behind = self._behind(row)
        look = self._mark.late or (self._mark.doubt and (first or closing)) or (first and self._afresh)
        known: Mapping[int, str] = {}
        if look or any(lack.unsure for lack in behind):
            known = self._runs_there(client, row)
            self._mark.settle()
        self._client, self._afresh = client, False
        self._tell_study(client, row)
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
        self._mark.enter()
        return self._ledger.study_of(self._id)

    def _behind(self, row: StudyRow) -> list[Behind]:
        return self._ledger.marks.behind(self._id, {State.RUNNING: _status(State.RUNNING, row)})

    def _take_turn(self, row: StudyRow) -> None:
        other = self._ledger.marks.begin(self._id)
        if other is not None:
            raise Busy(f"{row.name}: process {other.pid} on {other.host} is sending it just now")

    def _count(self, *, made: int = 0, trials: int = 0, reports: int = 0, removed: int = 0) -> None:
        done = self.result
        self.result = SyncResult(
            done.runs_created + made, done.trials_sent + trials, done.reports_sent + reports, done.removed + removed
        )

    # The study

    def _study_run(self, client: MlflowClient, row: StudyRow) -> StudyRow:
        """The study with its experiment and its own run, found or made."""
        run = restored(client, row.mlflow_run_id) if row.mlflow_run_id else None
        if run is None:
            # The run is not in this store: then no other that is believed to be there need be.
            self._mark.enter(afresh=True)
        place = find_or_make_experiment(
            client, self._ledger, row, self._uri, self._home, holds_run=run.info.experiment_id if run else None
        )
        run_id = run.info.run_id if run else self._runs_there(client, row, place).get(0)
        if run_id is None:
            run_id = self._make_run(client, place, row.name, row.created, {UID: row.uid, NUMBER: "0"})
        self._ledger.update_study(self._id, mlflow_experiment_id=place, mlflow_run_id=run_id)
        params = run.data.params if run else {}
        log(client, run_id, [], {k: v for k, v in study_params(row).items() if k not in params}, {})
        return self._ledger.study_of(self._id)

    def _tell_study(self, client: MlflowClient, row: StudyRow) -> None:
        if self._mark.told == _state(row):
            return
        assert row.mlflow_run_id is not None
        log(client, row.mlflow_run_id, [], {}, study_tags(row))
        client.update_run(row.mlflow_run_id, name=row.name)
        set_status(client, row.mlflow_run_id, study_status(row), row.active)
        self._mark.told = _state(row)

    def _runs_there(self, client: MlflowClient, row: StudyRow, place: str | None = None) -> dict[int, str]:
        """The store's runs of this study by trial number (0: its own), restored if deleted; doubles are removed.

        A number has two runs when a process died, or a server answered too late, after a run was made and before its id
        was kept. Nothing is in the other one that is not sent again.
        """
        ours = {trial.mlflow_run_id for trial in self._ledger.trials(self._id, reports=False)} | {row.mlflow_run_id}
        runs = sorted(runs_of(client, place or row.mlflow_experiment_id or "", row.uid), key=number_of)
        there: dict[int, str] = {}
        for number, group in groupby(runs, key=number_of):
            kept, *doubles = sorted(group, key=lambda run: (run.info.run_id in ours, *fullness(run)), reverse=True)
            there[number] = kept.info.run_id
            if kept.info.lifecycle_stage == "deleted":
                client.restore_run(kept.info.run_id)
            for double in doubles:
                if double.info.lifecycle_stage != "deleted":
                    remove_run(client, double.info.run_id)
                    self._count(removed=1)
        return there

    def _make_run(self, client: MlflowClient, place: str, name: str, created: float, tags: Mapping[str, str]) -> str:
        """A server that fails to answer may make the run all the same, even later: then it is looked for again."""
        try:
            run_id = make_run(client, place, name, created, tags)
        except Exception as error:
            if getattr(error, "error_code", None) not in ABOUT_ONE_RUN:
                self._mark.doubt_from_now()
            raise
        self._count(made=1)
        return run_id

    # A trial

    def _send_trial(self, client: MlflowClient, row: StudyRow, lack: Behind, there: str | None) -> None:
        marks, trial, status = self._ledger.marks, lack.trial, _status(lack.trial.state, row)
        tags = trial_tags(trial, row) | {"mlflow.parentRunId": row.mlflow_run_id or ""}
        run_id, unseen, tagged = trial.mlflow_run_id or there, lack.unseen, self._tagged.pop(trial.number, {})
        if trial.attempts > 1 and run_id is not None:
            run_id, unseen, theirs = self._after_restart(client, lack, run_id, tags)
            tags = theirs | tags
        made = run_id is None
        if run_id is None:
            marks.expect_run(self._id, trial.number)
            place, name = row.mlflow_experiment_id or "", trial_name(trial)
            run_id, tagged = self._make_run(client, place, name, trial.created, tags), tags
        if made or run_id != trial.mlflow_run_id:
            marks.known_run(self._id, trial.number, run_id)
        points = points_of(unseen)
        if trial.test:
            points += test_points(self._ledger.trial(self._id, trial.number), row.objective)
        params = trial_params(trial) if made or lack.status is None else {}
        log(client, run_id, points, params, {name: tag for name, tag in tags.items() if tagged.get(name) != tag})
        if status != ("RUNNING" if made else lack.status):
            set_status(client, run_id, status, trial.ended)
        marks.seen(self._id, trial.number, lack.revision, status)
        if not trial.state.final:
            self._tagged[trial.number] = tags
        self._count(trials=1, reports=len(unseen))

    def _after_restart(
        self, client: MlflowClient, lack: Behind, run_id: str, tags: Mapping[str, str]
    ) -> tuple[str | None, tuple[Report, ...], dict[str, str]]:
        """The run of a trial that was started again, the reports that it lacks, and the tags that people gave it.

        A run that shows reports which no longer stand goes, and the id is None: MLflow takes no point back. Looked up
        once an attempt, with its first report, and once at its end.
        """
        trial = self._ledger.trial(self._id, lack.trial.number)
        stand = standing(trial)
        rests = trial.state is not State.RUNNING
        wanted = {(milliseconds(report.at), report.epoch): report for report in stand}
        this = (run_id, trial.attempts, rests)
        if this in self._compared or not (lack.unseen or rests):
            return run_id, tuple(r for r in lack.unseen if (milliseconds(r.at), r.epoch) in wanted), {}
        shown = epochs_of(client, run_id)
        self._compared.add(this)
        if shown <= wanted.keys():
            return run_id, tuple(report for key, report in wanted.items() if key not in shown), {}
        run = restored(client, run_id)
        self._ledger.marks.known_run(self._id, trial.number, None)
        remove_run(client, run_id)
        self._count(removed=1)
        return None, stand, own_tags(run, tags) if run else {}

    def _only_this(self, client: MlflowClient, row: StudyRow, lack: Behind, error: Exception) -> bool:
        """Is the error about this trial only, so that the others can be sent? A run that went is healed next round."""
        if getattr(error, "error_code", None) not in ABOUT_ONE_RUN:
            return "locked" not in str(error) and _is_well(client, row)
        run_id = lack.trial.mlflow_run_id
        if run_id is not None and restored(client, run_id) is None:
            self._ledger.marks.known_run(self._id, lack.trial.number, None)
        return True


def _is_well(client: MlflowClient, row: StudyRow) -> bool:
    try:
        return row.mlflow_run_id is not None and restored(client, row.mlflow_run_id) is not None
    except Exception:  # then that is what ails it
        return False


def _status(state: State, row: StudyRow) -> str:
    return status_of(state, study_runs=row.status == "running")


def _state(row: StudyRow) -> str:
    return digest(row.name, study_tags(row))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
