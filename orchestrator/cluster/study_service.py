"""Answers what the Ray process asks of a running study: the next job, what follows from a report, its share."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.cluster.errors import RayUnavailable
from orchestrator.cluster.remote_service import Service
from orchestrator.cluster.sharing import Claim, Node, allowed, shares
from orchestrator.job import Ended, Job, JobKind, JobRef
from orchestrator.policies.policy import Decision
from orchestrator.study.study import Study
from orchestrator.trial import Report

TURN_SECONDS = 600.0  # that a trial may run on when its place has become another study's: a restart costs some seconds


class StudyService(Service):
    """Answers the Ray process (remote_service.py), and keeps `study.concurrency` at the study's share."""

    def __init__(
        self, study: Study, gpu: float, say: Callable[[str], None], where: str, turn: float = TURN_SECONDS
    ) -> None:
        self._study, self._say, self._where, self._turn = study, say, where, turn
        self._claim = Claim(
            "", study.spec.study, os.getpid(), socket.gethostname(), study.spec.resources.cpu, gpu, 0, 0, 0
        )
        self._others: list[Claim] = []
        self._nodes: Sequence[Node] = ()
        self._began: dict[JobRef, float] = {}  # running attempt -> monotonic time
        self._told: tuple[str, ...] = ()
        study.concurrency = 0  # until the cluster is known

    # Called from the Ray process

    def next_job(self) -> Job | None:
        self._share()
        job = self._study.next_job()
        if job is not None:
            self._began[job.ref] = time.monotonic()
            turns = [claim.since for claim in (self._claim, *self._others)]
            self._claim = replace(self._claim, since=max(turns) + 1)
        return job

    def is_over(self) -> bool:
        """Returns whether workers wait in vain: nothing runs, and nothing starts before there is a share again."""
        study = self._study
        return not study.attempts_running and (study.done_starting or study.concurrency == 0)

    def is_full(self) -> bool:
        """Returns whether a worker that became free is not needed, because the others' share would suffer."""
        return bool(self._others) and len(self._study.attempts_running) >= self._study.concurrency

    def place(self, ref: JobRef, facts: Mapping[str, Any]) -> None:
        """Records where an attempt runs."""
        if ref not in self._study.attempts_running:
            return
        if ref.kind is JobKind.TRAIN:
            self._study.set_facts(ref.number, facts)
        else:
            self._study.set_step_facts(ref.number, facts)

    def report(self, ref: JobRef, report: Report) -> bool:
        """Records the report of a trial; returns whether it goes on."""
        number = ref.number
        decision = self._study.report(number, report)
        self._study.tidy()  # Before the worker hears of it: it may write next what is deleted here.
        gives_way = decision is Decision.CONTINUE and report.checkpoint and self._gives_way(ref)
        if gives_way and not self._study.ends_now(number):
            self._study.pause(number, f"gave way to {self._names()}")
            return False
        return decision is Decision.CONTINUE

    def end(self, ref: JobRef, ended: Ended) -> None:
        """Records how an attempt ended, unless it had its end before: its process was let die then."""
        if ref not in self._study.attempts_running:
            return
        if ref.kind is not JobKind.TRAIN:
            self._study.end_step(ref.number, ended)
        elif ended.failure is None:
            self._study.complete(ref.number, ended.said)
        else:
            self._study.fail(ref.number, ended.failure)
        self._study.tidy()

    def out_of_sight(self, host: str) -> None:
        """Ends the session: training from the start there would look like success. Raises RayUnavailable."""
        study = self._study
        raise RayUnavailable(
            f"{study.spec.study}: every machine of the cluster must see {study.storage or study.directory}, but {host} "
            "does not; name a --home that all of them see, or give the study file `storage:`, a shared folder or a URL"
        )

    def exchange(
        self, job: str, nodes: Sequence[Node], others: Sequence[Claim], stuck: bool
    ) -> tuple[Claim, bool, set[JobRef]]:
        """Takes the claims of the others; returns our own, whether a job may start, and attempts to be ended now."""
        self._claim = replace(self._claim, job=job, stuck=stuck)
        self._nodes, self._others = nodes, list(others)
        self._share()
        self._tell()
        given_up = self._study.give_up_steps()
        return self._claim, self._study.concurrency > 0 or self._study.done_starting, given_up

    # Inside

    def _share(self) -> None:
        study, spec = self._study, self._study.spec
        running = len(study.attempts_running)
        alone = shares(self._nodes, [replace(self._claim, wanted=1_000_000)])[self._claim.job]
        limit = alone if spec.resources.concurrent == "auto" else min(alone, spec.resources.concurrent)
        wanted = min(limit, max(running, 0 if study.done_starting or study.held else self._left()))
        self._claim = replace(self._claim, wanted=wanted, running=running)
        if not self._others:
            study.concurrency = limit
        else:
            study.concurrency = allowed(self._claim, self._others, self._nodes)

    def _left(self) -> int:
        """Jobs that could run now."""
        if self._study.search_over:
            return self._study.steps_due
        trials, budget = self._study.trials, self._study.spec.budget.trials
        unfinished = sum(not trial.state.final for trial in trials)
        return 1_000_000 if budget is None else unfinished + max(0, budget - len(trials))

    def _gives_way(self, ref: JobRef) -> bool:
        if len(self._study.attempts_running) <= self._study.concurrency or not self._others:
            return False
        return time.monotonic() - self._began[ref] >= self._turn

    def _names(self) -> str:
        return ", ".join(f"{claim.study} (process {claim.pid} on {claim.host})" for claim in self._others)

    def _tell(self) -> None:
        names = tuple(sorted(claim.job for claim in self._others))
        if names == self._told:
            return
        self._told = names
        if names:
            self._say(f"{self._claim.study}: shares {self._where} with {self._names()}")
        else:
            self._say(f"{self._claim.study}: has {self._where} to itself again")
