"""A study that is told what happens call by call, and answers each call in plain data: to be recorded and replayed.

All that a recording needs of the code under test is called here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.checkpoints.open_storage import open_storage
from orchestrator.job import Failure, FailureClass
from orchestrator.ledger import Ledger
from orchestrator.study.study import Study
from orchestrator.study_file.study_spec import parse_study
from orchestrator.trial import Report, Status, Trial
from trainables import load_trainable

FACTS = ("host", "pid", "device")  # what a worker tells of itself
RECORDED = Path(__file__).parent.parent / "orchestrator" / "study" / "recorded_study.json"


class PlayedStudy:
    """Sessions of one study over one ledger, by a clock that the calls set."""

    def __init__(self, raw: dict[str, Any], folder: Path) -> None:
        self._spec = parse_study(raw, "recorded.yaml")
        trainable = load_trainable(self._spec.trainable)
        self._trainable = replace(trainable, test=None, examples=None)  # the search alone is recorded
        self._folder = folder / self._spec.study
        self._ledger = Ledger(folder / "ledger.db")
        self._id = self._ledger.create_study(self._spec.study, raw, self._spec.objective.objective, {}).id
        self._storage = open_storage(None, self._folder)
        self._now = 0.0
        self._study: Study

    def call(self, at: float, name: str, arguments: Sequence[Any]) -> Any:
        """Returns what the call answers at this time, as it comes back from JSON."""
        self._now = at
        answer = getattr(self, name)(*arguments)
        if name in ("report", "complete", "fail", "pause", "pause_all"):
            self._study.tidy()
        return json.loads(json.dumps(answer))

    # Calls

    def open(self, concurrency: int, ends: float | None) -> dict[str, Any]:
        """A new session, whatever became of the one before."""
        self._study = Study(
            self._spec,
            self._trainable,
            self._ledger,
            self._id,
            self._folder,
            concurrency=concurrency,
            now=lambda: self._now,
        )
        self._study.allowance.ends = math.inf if ends is None else ends
        self._study.begin()
        return {"trials": [self._trial(trial.number) for trial in self._study.trials], "status": self.status()}

    def next_job(self) -> dict[str, Any] | None:
        job = self._study.next_job()
        if job is None:
            return None
        return {
            "number": job.number,
            "attempt": job.attempt,
            "config": job.config,
            "seed": job.seed,
            "checkpoint_epoch": job.checkpoint_epoch,
            "accumulation_steps": job.accumulation_steps,
            "silence": None if job.silence is None else job.silence.limit,
        }

    def place(self, number: int, facts: dict[str, Any]) -> dict[str, Any]:
        self._study.set_facts(number, facts)
        return {name: self._of(number).facts[name] for name in facts}

    def report(self, number: int, epoch: int, metrics: dict[str, Any], seconds: float, saved: bool) -> list[Any]:
        """The decision, and where the trial stands then."""
        report = self._report(number, epoch, metrics, seconds, saved)
        return [self._study.report(number, report).value, *self._trial(number)]

    def report_and_die(self, number: int, epoch: int, metrics: dict[str, Any], seconds: float, saved: bool) -> None:
        """The report is in the ledger, but the driver is killed before anything follows from it."""
        self._ledger.record(self._id, number, self._report(number, epoch, metrics, seconds, saved))

    def complete(self, number: int) -> list[Any]:
        self._study.complete(number)
        return self._trial(number)

    def fail(self, number: int, kind: str, message: str, place: str | None) -> list[Any]:
        self._study.fail(number, Failure(FailureClass(kind), message, place=place))
        return self._trial(number)

    def pause(self, number: int, reason: str) -> list[Any]:
        self._study.pause(number, reason)
        return self._trial(number)

    def pause_all(self, reason: str) -> list[list[Any]]:
        self._study.pause_all(reason)
        return [self._trial(trial.number) for trial in self._study.trials]

    def stop(self, reason: str, status: str) -> dict[str, Any]:
        self._study.stop(reason, Status(status))
        return self.status()

    def disk_has_room(self) -> dict[str, Any]:
        self._study.outage.end()
        return self.status()

    def status(self) -> dict[str, Any]:
        study = self._study
        return {
            "running": [trial.number for trial in study.running],
            "best": None if study.best is None else study.best.number,
            "stopping": study.stopping,
            "disk_full": study.outage.reason,
            "disk_retry_at": study.outage.retry_at,
            "workers_retry_at": study.lost_workers.retry_at if study.lost_workers.pausing else None,
            "done_starting": study.done_starting,
            "finished": study.finished,
            "outcome": [study.outcome[0].value, study.outcome[1]],
        }

    def trials(self) -> list[dict[str, Any]]:
        """Every trial as the ledger has it, and the epochs whose checkpoints are there."""
        kept = self._storage.sizes()
        return [
            {
                "number": trial.number,
                "state": trial.state.value,
                "reason": trial.reason,
                "baseline": trial.baseline,
                "attempts": trial.attempts,
                "epochs": trial.epochs,
                "value": trial.value(self._spec.objective.objective),
                "facts": {name: value for name, value in trial.facts.items() if name in FACTS},
                "checkpoints": sorted(kept.get(trial.number, {})),
            }
            for trial in self._ledger.trials(self._id)
        ]

    def saved_epochs(self, number: int) -> list[int]:
        return sorted(self._storage.sizes(number).get(number, {}))

    # Inside

    def _report(self, number: int, epoch: int, metrics: dict[str, Any], seconds: float, saved: bool) -> Report:
        """JSON knows no NaN: null stands for it."""
        if saved:
            self._storage.write(number, epoch, lambda folder: None)
        values = {name: math.nan if value is None else value for name, value in metrics.items()}
        return Report(epoch, values, seconds, self._now, saved)

    def _of(self, number: int) -> Trial:
        return next(trial for trial in self._study.trials if trial.number == number)

    def _trial(self, number: int) -> list[Any]:
        trial = self._of(number)
        return [trial.state.value, trial.reason]
