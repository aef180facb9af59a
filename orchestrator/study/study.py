"""A running study, without Ray: which job is next, and what follows from a report.

The Ray bridge, the tests and a simulator drive the same object. Its memory is the ledger: a new Study over the same
ledger goes on where the last one stopped, however it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.checkpoints.open_storage import storage_at
from orchestrator.checkpoints.retention import Retention, best_saved_epoch
from orchestrator.job import Failure, FailureClass, Job
from orchestrator.ledger import DuplicateConfig, Ledger
from orchestrator.policies.build import build_searcher
from orchestrator.policies.scheduler import Decision
from orchestrator.space.config_field import defaults_of
from orchestrator.space.membership import NotInSpace, as_config_of
from orchestrator.space.search_space import SearchSpace
from orchestrator.study import budget, failures
from orchestrator.study.failures import Streak, failure_of
from orchestrator.study.leader import Leader
from orchestrator.study.pace import Pace
from orchestrator.study.proposals import Proposals
from orchestrator.study.pruning import Pruning
from orchestrator.study.trials import Trials
from orchestrator.study.warm_start import COLD, WarmStart
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.trial import Objective, Report, State, Status, Trial
from trainables import Trainable

RETRY_SECONDS, LONGEST_RETRY_SECONDS = 30.0, 600.0  # while a disk refuses although it says that there is room


@dataclass(frozen=True)
class Event:
    """What the progress display is told. kind: started, report, paused, completed, pruned, failed, retried."""

    kind: str
    trial: Trial


class Study:
    """One session of a study. Not thread-safe: one driver calls it."""

    def __init__(
        self,
        spec: StudySpec,
        trainable: Trainable,
        ledger: Ledger,
        study_id: int,
        directory: Path,
        *,
        concurrency: int,
        warm: WarmStart = COLD,
        storage: str | None = None,  # the folder or URL of the checkpoints; None: `directory`
        on_event: Callable[[Event], None] = lambda event: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.spec = spec
        self.directory = directory
        self.storage = storage
        self.objective: Objective = spec.objective.objective
        self.concurrency = concurrency
        self.attempts_started = 0  # in this session
        self.stopping: str | None = None  # why no new job starts, once the session was asked to stop
        self._ending = Status.PAUSED  # how it leaves the study then
        self.disk_full: str | None = None  # why no new job starts until the disk, or the storage, is better
        self.disk_retry_at = 0.0  # unix time before which it is not tried again, whatever the disk says
        self._trainable = trainable
        self._on_event = on_event
        self._now = now
        self._proposals = Proposals(spec, build_searcher(spec.search.sampler, spec.space, spec.search.seed), warm)
        self._pruning = Pruning(spec, trainable)
        defaults, known = defaults_of(trainable), ledger.trials(study_id)
        counting = [
            replace(trial, config=_as_now(trial.config, spec.space, defaults))
            for trial in known
            if trial.left_out is None
        ]
        self._trials = Trials(ledger, study_id, counting, now)
        self._running: set[int] = set()
        self._refused = 0  # attempts in a row that ended because nothing could be written
        self._leader = Leader(self._trials, self.objective, spec.budget)
        self._pace = Pace(self.trials, spec.scheduler.grace_epochs)
        self._streak = Streak(spec.failures.equal_exceptions)
        used = budget.gpu_seconds(known, budget.gpu_attempts(ledger, study_id, known))
        self.allowance = budget.Allowance(spec.budget.gpu_hours, used, now)
        self._retention = Retention(storage_at(storage, directory), self.objective, spec.checkpoints.quota)
        self._retention.begin(self._trials, self._leader.winners)
        self._replay(ledger.history(study_id))

    # What there is

    @property
    def trials(self) -> list[Trial]:
        return self._trials.listed

    @property
    def running(self) -> list[Trial]:
        return [self._trials[number] for number in sorted(self._running)]

    @property
    def best(self) -> Trial | None:
        return self._leader.trial

    @property
    def over(self) -> str | None:
        """Why the search needs no further report: its target or its patience; None while it goes on."""
        return self._leader.over

    def best_kept_epoch(self, trial: Trial) -> int | None:
        """The best epoch of those whose checkpoints are still there."""
        return best_saved_epoch(trial, self.objective, self._retention.epochs(trial.number))

    @property
    def folders(self) -> list[Path]:
        """Those on whose disks it needs room."""
        return [self.directory.parent] + ([Path(self.storage)] if self.storage and "://" not in self.storage else [])

    @property
    def finished(self) -> bool:
        """Is the search over, or every trial that the budget allows in a final state?"""
        return self.over is not None or (not self._trials.unfinished and self._proposals.next(self.trials) is None)

    @property
    def outcome(self) -> tuple[Status, str | None]:
        """How the session leaves the study, and why where that needs saying."""
        if self.stopping:
            return self._ending, self.stopping
        done = self.over or any(trial.state in (State.COMPLETED, State.PRUNED) for trial in self.trials)
        return (Status.FINISHED if done else Status.FAILED), self.over

    # What is next

    def next_job(self) -> Job | None:
        """The next attempt to start now, recorded in the ledger; None when there is none now."""
        if self.stopping or self.over or self.disk_full or len(self._running) >= self.concurrency:
            return None
        left = self.allowance.seconds
        for number in self._trials.unfinished:
            if number not in self._running and self._pace.seconds_needed(self._trials[number]) <= left:
                return self._job(self._trials.start_again(number))
        proposal = self._proposals.next(self.trials) if self._pace.seconds_needed(None) <= left else None
        if proposal is None:
            if not self._running and not self.finished:
                self.stop("no trial would get far enough in what is left of the budget")
            return None
        try:
            return self._job(self._trials.add(proposal, self.spec.search.seed))
        except DuplicateConfig:
            self._proposals.skip(proposal)
            return self.next_job()

    @property
    def done_starting(self) -> bool:
        """Will no job ever start again in this session, whatever the running ones report?"""
        return bool(self.stopping) or self.finished

    def stop(self, reason: str, status: Status = Status.PAUSED) -> None:
        """Start nothing more; every running trial pauses at its next report. status: the study's after that."""
        self.stopping, self._ending = reason, status

    def wait_for_disk(self, reason: str, seconds: float = 0.0) -> None:
        """As `stop`, but only until `disk_has_room`, which is not before so many seconds have passed."""
        self.disk_full, self.disk_retry_at = reason, max(self.disk_retry_at, self._now() + seconds)

    def disk_has_room(self) -> None:
        self.disk_full, self.disk_retry_at = None, 0.0

    def pause(self, number: int, reason: str) -> None:
        """The trial goes on from its checkpoint, later in this session or in the next."""
        self._finish(number, State.PAUSED, reason)

    def let_go(self, reason: str) -> None:
        """No worker runs any more: what was running is paused and goes on from its checkpoint at the next start."""
        for trial in self.running:
            self._finish(trial.number, State.PAUSED, reason)
        self._let_fail(self._streak.end())

    # What happened

    def report(self, number: int, report: Report) -> Decision:
        """Record one report, then decide. The ledger has it before anything follows from it."""
        repeated = report.epoch <= self._trials[number].epochs
        trial = self._trials.record(number, report)
        self._refused = 0
        if report.checkpoint:
            self._retention.saved(number, report.epoch)
        dethroned = self._leader.reported(trial, repeated=repeated)
        if not repeated:
            self._pace.reported(trial)
        problem = failure_of(report, {self.objective.metric, self._pruning.metric})
        if problem:
            self.fail(number, problem)
            return Decision.PRUNE
        self._let_fail(self._streak.reported(report.epoch))
        decision = self._pruning.decide(trial, report)
        if repeated and report.epoch < trial.epochs:
            decision = Decision.CONTINUE  # its checkpoint was corrupt: it passed here before, and is not judged twice
        self._on_event(Event("report", trial))
        if decision is Decision.PRUNE:
            self._prune(number, report.epoch)
        elif self._must_pause() or decision is Decision.PAUSE:
            self._finish(number, State.PAUSED, self.stopping or self.over or self.disk_full)
            return Decision.PAUSE
        else:
            self._tidy(trial)
        if dethroned is not None:
            self._tidy(dethroned)
        return decision

    def complete(self, number: int) -> None:
        """The trainable came to its own end."""
        if self._trials[number].value(self.objective) is None:
            message = f"ended without one report of `{self.objective.metric}`"
            self.fail(number, Failure(FailureClass.EXCEPTION, message))
        else:
            self._finish(number, State.COMPLETED, None)

    def fail(self, number: int, failure: Failure) -> None:
        """An attempt ended without result: the trial goes on from its checkpoint, or fails (failures.py)."""
        if failure.kind is FailureClass.STORAGE:  # it would hit the next trial as well: all wait
            self.wait_for_disk(failure.message, min(RETRY_SECONDS * 2**self._refused, LONGEST_RETRY_SECONDS))
            self._refused += 1
            self._finish(number, State.PAUSED, failure.message)
            return
        trial = self._trials[number]
        config = self._trainable.build_config(trial.config)
        verdict = failures.judge(failure, trial, config, self.spec.failures)
        if verdict.again:
            # First the facts: whatever dies in between, the failure is counted once.
            self._trials.set_facts(number, dict(trial.facts) | dict(verdict.facts))
            self._finish(number, State.PAUSED, verdict.reason, event="retried")
            return
        self._let_fail(self._streak.failed(trial, failure))
        self._finish(number, State.FAILED, verdict.reason, failure.traceback)
        if self._streak.too_long:
            self._give_up(failure)

    def set_test(self, number: int, metrics: dict[str, float]) -> None:
        """The scores of the trial's best checkpoint on the test split; {} where there is none."""
        self._trials.set_test(number, metrics)

    def set_facts(self, number: int, facts: Mapping[str, Any]) -> None:
        """Where the running attempt runs: host, device, process."""
        before = self._trials[number].facts
        self._trials.set_facts(number, {name: before[name] for name in failures.FACTS if name in before} | dict(facts))

    # Inside

    def _job(self, trial: Trial) -> Job:
        self._running.add(trial.number)
        self.allowance.start(trial.number)
        if trial.facts.get("gpus", 0.0) != self.allowance.gpus:
            self._trials.set_facts(trial.number, dict(trial.facts) | {"gpus": self.allowance.gpus})
        self.attempts_started += 1
        self._on_event(Event("started", trial))
        return Job(
            trial.number,
            trial.attempts,
            trial.config,
            trial.seed,
            trial.checkpoint_epoch,
            trial.facts.get("accumulation_steps"),
            self._pace.silence(trial, self.spec.failures),
        )

    def _must_pause(self) -> bool:
        if not self.stopping and self.allowance.used_up:
            self.stop(self.allowance.used_up)
        return bool(self.stopping or self.over or self.disk_full)

    def _prune(self, number: int, epoch: int) -> None:
        self._finish(number, State.PRUNED, f"below the best 1/{self.spec.scheduler.eta} at epoch {epoch}")

    def _finish(self, number: int, state: State, reason: str | None, error: str | None = None, event: str = "") -> None:
        trial = self._trials.finish(number, state, reason, error)
        self._running.discard(number)
        self.allowance.end(number)
        dethroned = self._leader.ended(trial) if state.final else None
        if dethroned is not None:
            self._tidy(dethroned)
        self._tidy(trial)
        self._on_event(Event(event or state.value, trial))

    def _let_fail(self, numbers: list[int]) -> None:
        """It is their configs: what these trials saved goes."""
        for number in numbers:
            self._tidy(self._trials[number])

    def _give_up(self, failure: Failure) -> None:
        """It is not the configs: the study stops, and what failed goes on at the next start."""
        for trial in [self._trials[n] for n in self._streak.trials if self._trials[n].state is State.FAILED]:
            self._trials.set_facts(trial.number, dict(trial.facts) | failures.retried(trial, failure.kind))
            self._trials.finish(trial.number, State.PAUSED, trial.reason, trial.error)
        if not self.stopping:
            where = "" if failure.place is None else f" at {failure.place}"
            count = len(self._streak.trials)
            self.stop(f"{count} trials in a row failed alike: {failure.message}{where}", Status.FAILED)

    def _tidy(self, trial: Trial) -> None:
        """Keep only those of the trial's checkpoints that are worth their disk."""
        if trial.number not in self._streak.trials:  # those may go on at the next start
            self._retention.tidy(trial, winner=trial.number in self._leader.winners)
        self._retention.fit(self._trials, self._leader.number)

    def _replay(self, history: Iterable[tuple[int, int, Report]]) -> None:
        """Rebuild the scheduler from the reports; settle what a crash left between a report and its consequence."""
        last: dict[int, Decision] = {}
        failed: dict[int, Failure] = {}
        for _, number, report in history:
            if number not in self._trials:  # left out
                continue
            trial = self._trials[number]
            problem = failure_of(report, {self.objective.metric, self._pruning.metric})
            if problem:
                failed[number] = problem
            else:
                failed.pop(number, None)
                last[number] = self._pruning.decide(trial, report)
        for number in self._trials.unfinished:
            trial = self._trials[number]
            if trial.state is not State.RUNNING:
                continue
            if number in failed:
                self.fail(number, failed[number])
            elif last.get(number) is Decision.PRUNE:
                self._prune(number, trial.epochs)
            else:
                self._finish(number, State.PAUSED, "the driver died")


def _as_now(config: Mapping[str, Any], space: SearchSpace, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a trial that counts, in the words of the space as the file has it now."""
    try:
        return as_config_of(space, config, defaults)
    except NotInSpace:  # the trainable's own values changed since
        return space.restore(config)
