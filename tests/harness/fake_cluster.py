"""Drives a study in this process, without Ray."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.job import Ended, Job, JobKind
from orchestrator.ledger import Ledger
from orchestrator.policies.policy import Decision
from orchestrator.study.event import Event
from orchestrator.study.study import Study
from orchestrator.study_file.study_spec import parse_study
from orchestrator.trial import Report
from tests import toy
from trainables import load_trainable


class FakeCluster:
    """Holds a study with a ledger of its own, and can start it again as after a crash."""

    def __init__(
        self, directory: Path, *, on_event: Callable[[Event], None] = lambda event: None, **sections: Any
    ) -> None:
        self.directory = directory
        self.on_event = on_event
        self.spec = parse_study(
            {
                "study": "toy",
                "trainable": "tests.toy",
                "objective": {"metric": "val/score", "mode": "max"},
                "space": {"lr": {"low": 1e-4, "high": 1.0, "log": True}, "epochs": 4},
                "scheduler": {"name": "asha", "eta": 2},
                "budget": {"trials": 6},
            }
            | sections,
            "toy.yaml",
        )
        self.ledger = Ledger(directory / "ledger.db")
        self.id = self.ledger.create_study("toy", self.spec.raw, self.spec.objective.objective, {}).id
        self.study = self.open()

    def open(self, *, concurrency: int = 2, now: Callable[[], float] = time.time) -> Study:
        """Reads the study from the ledger, as a start does. now: its clock, in unix time."""
        self.study = Study(
            self.spec,
            load_trainable("tests.toy"),
            self.ledger,
            self.id,
            self.directory / "toy",
            concurrency=concurrency,
            on_event=self.on_event,
            now=now,
        )
        self.study.begin()
        return self.study


def report(job: Job, epoch: int, value: float | None = None, checkpoint: bool = True) -> Report:
    """Returns the report of an epoch: of the toy's own score, unless a value is given."""
    score = toy.score_at(job.config["lr"], epoch) if value is None else value
    return Report(epoch, {"val/score": score, "train/loss": 1 - score}, 1.0, 0.0, checkpoint)


def finish(study: Study, job: Job, until: int = 4) -> None:
    """Trains one job as a worker would, up to epoch `until` or until the study says to stop."""
    if job.kind is JobKind.SCORE:
        study.end_step(job.ref.number, Ended(result={"test/score": 0.5}))
        return
    for epoch in range((job.checkpoint_epoch or 0) + 1, until + 1):
        if study.report(job.number, report(job, epoch)) is not Decision.CONTINUE:
            break
    else:
        study.complete(job.number)
    study.tidy()


def run_out(study: Study) -> None:
    """Trains every job that the study still gives out."""
    while (job := study.next_job()) is not None:
        finish(study, job)
