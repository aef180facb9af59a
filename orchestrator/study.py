"""The heart of a running study, without Ray: which job is next, and what follows from a report.

The Ray bridge, the tests and a simulator drive the same object. Its memory is the ledger: a new Study over the same
ledger goes on where the last one stopped, however it stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.failures import problem_of
from orchestrator.job import Failure, FailureClass, Job
from orchestrator.keeper import Keeper
from orchestrator.ledger import DuplicateConfig, Ledger
from orchestrator.proposals import Proposals
from orchestrator.schedulers import Decision, build_scheduler
from orchestrator.searchers import build_searcher
from orchestrator.space.membership import Outside, as_config_of, defaults_of
from orchestrator.space.search_space import SearchSpace
from orchestrator.storage import storage_at
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.trial import Objective, Report, State, Trial, best_trial
from orchestrator.warm_start import COLD, WarmStart
from trainables import Trainable

_SETTLED = (State.COMPLETED, State.PRUNED)  # finished, and not to fail any more
LOST_WORKERS_ALLOWED = 3  # in a row without a report between them: then the trial itself kills its worker


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
        self._trainable = trainable
        self._ledger = ledger
        self._id = study_id
        self._on_event = on_event
        self._now = now
        self._proposals = Proposals(spec, build_searcher(spec.search.sampler, spec.space, spec.search.seed), warm)
        self._scheduler_metric = spec.scheduler.metric or self.objective.metric
        self._scheduler = build_scheduler(
            spec.scheduler.name,
            eta=spec.scheduler.eta,
            grace_epochs=spec.scheduler.grace_epochs,
            mode=spec.scheduler.mode or self.objective.mode,
        )
        defaults = defaults_of(trainable)
        self._trials: dict[int, Trial] = {
            trial.number: replace(trial, config=_as_now(trial.config, spec.space, defaults))
            for trial in ledger.trials(study_id)
            if trial.left_out is None
        }
        self._running: set[int] = set()
        self._lost: dict[int, int] = {}  # trial -> workers lost since its last report
        self._open = {number for number, trial in self._trials.items() if not trial.state.final}
        self._best = self._find_best()  # kept up to date, because every report asks for it
        self._settled = self._find_best(_SETTLED)  # the best that can fail no more
        self._keeper = Keeper(storage_at(storage, directory), self.objective, None)
        self._keeper.begin(self._trials, (self._best, self._settled))
        self._replay()

    # What there is

    @property
    def trials(self) -> list[Trial]:
        return list(self._trials.values())  # numbers only grow, so this is their order

    @property
    def running(self) -> list[Trial]:
        return [self._trials[number] for number in sorted(self._running)]

    @property
    def best(self) -> Trial | None:
        return None if self._best is None else self._trials[self._best]

    @property
    def finished(self) -> bool:
        """Is every trial that the budget allows in a final state?"""
        return not self._unfinished() and self._proposals.next(self.trials) is None

    # What is next

    def next_job(self) -> Job | None:
        """The next attempt to start now, recorded in the ledger; None when there is none now."""
        if self.stopping or len(self._running) >= self.concurrency:
            return None
        waiting = [n for n in self._unfinished() if n not in self._running]
        if waiting:
            return self._start_again(waiting[0])
        proposal = self._proposals.next(self.trials)
        if proposal is None:
            return None
        try:
            trial = self._ledger.add_trial(
                self._id,
                proposal.config,
                baseline=proposal.baseline,
                seed=self.spec.search.seed,
                origin=proposal.origin,
            )
        except DuplicateConfig:
            self._proposals.skip(proposal)
            return self.next_job()
        self._trials[trial.number] = trial
        self._open.add(trial.number)
        return self._job(trial)

    @property
    def done_starting(self) -> bool:
        """Will no job ever start again in this session, whatever the running ones report?"""
        return bool(self.stopping) or self.finished

    def stop(self, reason: str) -> None:
        """Start nothing more; every running trial pauses at its next report."""
        self.stopping = reason

    def let_go(self, reason: str) -> None:
        """No worker runs any more: what was running is paused and goes on from its checkpoint at the next start."""
        for trial in self.running:
            self._finish(trial.number, State.PAUSED, reason)

    # What happened

    def report(self, number: int, report: Report) -> Decision:
        """Record one report, then decide. The ledger has it before anything follows from it."""
        self._ledger.record(self._id, number, report)
        self._lost.pop(number, None)
        repeated = report.epoch <= self._trials[number].epochs
        trial = self._with_report(number, report)
        if report.checkpoint:
            self._keeper.saved(number, report.epoch)
        dethroned = self._crown(trial)
        if repeated:  # its first value is gone, and with it perhaps the title
            self._best = self._find_best()
        problem = problem_of(report, {self.objective.metric, self._scheduler_metric})
        if problem:
            self.fail(number, problem)
            return Decision.PRUNE
        decision = self._decide(trial, report)
        self._on_event(Event("report", trial))
        if decision is Decision.PRUNE:
            self._prune(number, report.epoch)
        elif self.stopping or decision is Decision.PAUSE:
            self._finish(number, State.PAUSED, self.stopping)
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
        """An attempt ended without result: a lost worker is retried from its checkpoint, all else fails the trial."""
        if failure.kind is FailureClass.WORKER_LOST:
            self._lost[number] = self._lost.get(number, 0) + 1
            if self._lost[number] < LOST_WORKERS_ALLOWED:
                self._finish(number, State.PAUSED, failure.message, event="retried")
                return
        self._finish(number, State.FAILED, f"{failure.kind}: {failure.message}", failure.traceback)

    def set_test(self, number: int, metrics: dict[str, float]) -> None:
        """The scores of the trial's best checkpoint on the test split; {} where there is none."""
        self._ledger.set_test(self._id, number, metrics)
        self._trials[number] = replace(self._trials[number], test=metrics)

    def set_facts(self, number: int, facts: dict[str, Any]) -> None:
        """Where the running attempt runs: host, device, process."""
        self._ledger.set_facts(self._id, number, facts)
        self._trials[number] = replace(self._trials[number], facts=facts)

    # Inside

    def _unfinished(self) -> list[int]:
        return sorted(self._open)

    def _start_again(self, number: int) -> Job:
        trial = self._trials[number]
        attempt = self._ledger.start_attempt(self._id, number)
        trial = replace(trial, state=State.RUNNING, reason=None, attempts=attempt)
        self._trials[number] = trial
        return self._job(trial)

    def _job(self, trial: Trial) -> Job:
        self._running.add(trial.number)
        self.attempts_started += 1
        self._on_event(Event("started", trial))
        return Job(trial.number, trial.attempts, trial.config, trial.seed, trial.checkpoint_epoch)

    def _decide(self, trial: Trial, report: Report) -> Decision:
        decision = self._scheduler.report(trial.number, report.epoch, report.metrics[self._scheduler_metric])
        if decision is Decision.CONTINUE:
            return decision
        if trial.baseline is not None or report.epoch >= self._last_epoch(trial):
            return Decision.CONTINUE  # a baseline is compared with: it is trained whole; a last epoch saves nothing
        if any(report.epoch <= extension.after for extension in trial.extended):
            return Decision.CONTINUE  # decided then, and it goes on all the same
        return decision

    def _last_epoch(self, trial: Trial) -> float:
        config = self._trainable.build_config(trial.config)
        epochs = config.get("epochs") if isinstance(config, dict) else getattr(config, "epochs", None)
        return math.inf if epochs is None else epochs

    def _with_report(self, number: int, report: Report) -> Trial:
        trial = self._trials[number]
        others = [r for r in trial.reports if r.epoch != report.epoch]
        reports = tuple(sorted([*others, report], key=lambda r: r.epoch))
        self._trials[number] = replace(trial, reports=reports)
        return self._trials[number]

    def _prune(self, number: int, epoch: int) -> None:
        self._finish(number, State.PRUNED, f"below the best 1/{self.spec.scheduler.eta} at epoch {epoch}")

    def _finish(self, number: int, state: State, reason: str | None, error: str | None = None, event: str = "") -> None:
        self._ledger.finish(self._id, number, state, reason, error)
        ended = self._now() if state.final else None
        self._trials[number] = replace(self._trials[number], state=state, reason=reason, error=error, ended=ended)
        self._running.discard(number)
        if state.final:
            self._open.discard(number)
        if state is State.FAILED and number == self._best:
            self._best = self._find_best()
        if state in _SETTLED:
            self._settle(number)
        self._tidy(self._trials[number])
        self._on_event(Event(event or state.value, self._trials[number]))

    def _crown(self, trial: Trial) -> Trial | None:
        """Let `trial` be the best if it is; returns the trial that no longer is."""
        value, best = trial.value(self.objective), self.best
        held = None if best is None else best.value(self.objective)
        if value is None or trial.number == self._best:
            return None
        if best is not None and held is not None:
            earlier = value == held and trial.number < best.number  # of equals the earliest, as in trial.best_trial
            if not (earlier or self.objective.better(value, held)):
                return None
        self._best = trial.number
        return best

    def _find_best(self, states: Collection[State] = tuple(State)) -> int | None:
        best = best_trial([trial for trial in self.trials if trial.state in states], self.objective)
        return None if best is None else best.number

    def _settle(self, number: int) -> None:
        """See whether the trial is the best that can fail no more: it keeps its checkpoint, whoever leads."""
        before = self._settled
        best = best_trial([self._trials[n] for n in (before, number) if n is not None], self.objective)
        self._settled = None if best is None else best.number
        if before is not None and before != self._settled:
            self._tidy(self._trials[before])

    def _tidy(self, trial: Trial) -> None:
        """Keep only those of the trial's checkpoints that are worth their disk."""
        self._keeper.tidy(trial, winner=trial.number in (self._best, self._settled))

    def _replay(self) -> None:
        """Rebuild the scheduler from the ledger; settle what a crash left between a report and its consequence."""
        last: dict[int, Decision] = {}
        failed: dict[int, Failure] = {}
        for _, number, report in self._ledger.history(self._id):
            trial = self._trials[number]
            problem = problem_of(report, {self.objective.metric, self._scheduler_metric})
            if problem:
                failed[number] = problem
            else:
                last[number] = self._decide(trial, report)
        for number in self._unfinished():
            trial = self._trials[number]
            if number in failed:
                self.fail(number, failed[number])
            elif last.get(number) is Decision.PRUNE and trial.state is State.RUNNING:
                self._prune(number, trial.epochs)
            elif trial.state is State.RUNNING:
                self._finish(number, State.PAUSED, "the driver died")


def _as_now(config: Mapping[str, Any], space: SearchSpace, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a trial that counts, in the words of the space as the file has it now."""
    try:
        return as_config_of(space, config, defaults)
    except Outside:  # the trainable's own values changed since
        return space.restore(config)
