"""Runs a study, without Ray: which job is next, and what follows from a report.

Ray's bridge, the tests and a simulator drive the same object. Its memory is the ledger: a new Study over the same
ledger goes on where the last one stopped, however it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.checkpoints.open_storage import open_storage
from orchestrator.checkpoints.retention import Retention, best_saved_epoch
from orchestrator.disk import takes_files
from orchestrator.job import Ended, Failure, FailureClass, Job, JobKind, JobRef
from orchestrator.ledger import DuplicateConfig, Ledger
from orchestrator.policies.build import build_policy
from orchestrator.policies.policy import HORIZON, Decision, Done, GoOn, Wait
from orchestrator.space.config_field import defaults_of
from orchestrator.space.membership import config_as_now
from orchestrator.steady_clock import SteadyClock
from orchestrator.study import budget, failures
from orchestrator.study.after_search import AfterSearch
from orchestrator.study.attempts import Attempts
from orchestrator.study.endings import reason_of_end
from orchestrator.study.event import Event
from orchestrator.study.failures import Streak, failure_of, never_reported
from orchestrator.study.last_epoch import LastEpoch
from orchestrator.study.leader import Leader
from orchestrator.study.outages import LAST_PAUSES, LostWorkers, StorageOutage
from orchestrator.study.pace import Pace
from orchestrator.study.proposals import Proposals
from orchestrator.study.replay import unsettled
from orchestrator.study.steps import Steps, ref_of
from orchestrator.study.trials import Proposal, Trials
from orchestrator.study.warm_start import COLD, WarmStart
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.trial import Objective, PausedBy, Report, State, Status, Trial
from trainables import Trainable

MOST_PAUSES, MOST_PAUSES_AT_FIRST = 15, 6  # of a machine that loses every worker; at first: before any report


class Study:
    """Runs one session of a study. Not thread-safe: one driver calls it.

    Decides and writes the ledger; it deletes no checkpoint before `begin` or `tidy` is called.
    """

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
        now: Callable[[], float] | None = None,
    ) -> None:
        """Reads the ledger, and changes nothing before `begin`. now: unix time; None: by a clock that nothing sets."""
        self.now = now = now or SteadyClock()
        self.spec = spec
        self.directory = directory
        self.storage = storage
        self.objective: Objective = spec.objective.objective
        self.concurrency = concurrency
        self.attempts_started = 0  # in this session
        self.stopping: str | None = None  # why no new job starts, once the session was asked to stop
        self._ending = Status.PAUSED  # how it leaves the study then
        # Whether an object store takes files cannot be seen at once: what it refuses is the storage's matter.
        local = storage is None or "://" not in storage
        self.outage = StorageOutage(now, lambda: local and all(map(takes_files, self.folders)))
        self.lost_workers = LostWorkers(now)
        self._ledger, self._id = ledger, study_id
        self._trainable = trainable
        self._on_event = on_event
        self.last_epoch = LastEpoch(trainable)
        self.policy = build_policy(spec, others=warm.others, last_epoch=self.last_epoch.of)
        self._proposals = Proposals(spec, self.policy, warm)
        defaults, known = defaults_of(trainable), ledger.trials(study_id)
        counting = [
            replace(trial, config=config_as_now(spec.space, trial.config, defaults)) for trial in known if trial.counts
        ]
        self._trials = Trials(ledger, study_id, counting, now)
        self._leader = Leader(self._trials, self.objective, spec.budget)
        self._pace = Pace(self.trials, (self.policy.milestones(HORIZON) or [1])[0])
        self._streak = Streak(spec.failures.equal_exceptions)
        used = ledger.gpu_seconds(study_id)
        self.allowance = budget.Allowance(spec.budget.gpu_hours, used, now)
        self._retention = Retention(open_storage(storage, directory), self.objective, spec.checkpoints.quota)
        self._after = AfterSearch(
            steps=Steps(ledger.steps, study_id),
            trials=self._trials,
            trainable=trainable,
            policy=spec.failures,
            allowance=self.allowance,
            outage=self.outage,
            lost_workers=self.lost_workers,
            kept_epoch=self.best_kept_epoch,
            silence=lambda trial: self._pace.silence(trial, spec.failures),
            on_event=on_event,
        )
        self._attempts = Attempts(self._trials, self.objective, self._leader, self.allowance, self.last_epoch, on_event)

    def begin(self) -> None:
        """Settles what a crash left between a report and its consequence, and lets go the checkpoints it left.

        To be called once, before anything else is asked of the study, while no worker writes.
        """
        self._attempts.untidy.update(self._retention.begin(self._trials))
        self._settle()
        self._after.steps.begin()
        self.tidy()

    # What there is

    @property
    def trials(self) -> list[Trial]:
        """Returns those that count, by number."""
        return self._trials.listed

    @property
    def running(self) -> list[Trial]:
        """Returns those that run, by number."""
        return self._attempts.trials

    @property
    def best(self) -> Trial | None:
        """Returns the one with the best value; None before the first."""
        return self._leader.trial

    @property
    def over(self) -> str | None:
        """Returns the reason to end the search (target reached, or patience used up); None to continue."""
        return self._leader.over

    @property
    def watch(self) -> tuple[str, str]:
        """Returns the metric that the scheduler decides by, and its mode."""
        return self.policy.metric, self.spec.scheduler.mode or self.objective.mode

    def best_kept_epoch(self, trial: Trial) -> int | None:
        """Returns the best epoch of those whose checkpoints are still there."""
        return best_saved_epoch(trial, self.objective, self._retention.epochs(trial.number))

    @property
    def folders(self) -> list[Path]:
        """Returns those on whose disks it needs room."""
        return [self.directory.parent] + ([Path(self.storage)] if self.storage and "://" not in self.storage else [])

    @property
    def attempts_running(self) -> set[JobRef]:
        """Returns the attempts that run: at trials, and at steps."""
        return self._attempts.refs | {ref_of(step) for step in self._after.steps.running}

    @property
    def finished(self) -> bool:
        """Returns whether the search is over, and each step that follows it done or failed."""
        return self.search_over and not self._after.steps.running and not self._after.due(self.best)

    @property
    def steps_due(self) -> int:
        """Returns how many steps are to be done once the search is over, and do not run yet."""
        return len(self._after.due(self.best))

    @property
    def search_over(self) -> bool:
        """Returns whether its end was found, or every trial that budget and policy allow is in a final state."""
        return self.over is not None or (not self._trials.unfinished and isinstance(self._next_move(), Done))

    @property
    def outcome(self) -> tuple[Status, str | None]:
        """Returns how the session leaves the study, and why where that needs saying."""
        if self.stopping:
            return self._ending, self.stopping
        done = self.over or any(trial.state in (State.COMPLETED, State.PRUNED) for trial in self.trials)
        if not done:
            return Status.FAILED, None
        move = None if self.over else self._next_move()
        return Status.FINISHED, move.reason if isinstance(move, Done) else self.over

    @property
    def held(self) -> bool:
        """Returns whether nothing starts now, because storage or machine is at fault."""
        return self.outage.reason is not None or self.lost_workers.pausing

    # What is next

    def next_job(self) -> Job | None:
        """Returns the next attempt to start now, recorded in the ledger; None when there is none now.

        Trials that the session had paused go on first; then the policy is asked; the steps come last.
        """
        if self.stopping or self.held or len(self.attempts_running) >= self.concurrency:
            return None
        if self.search_over:
            return self._next_step()
        left = self.allowance.seconds
        again = [number for number in self._waiting if self._pace.seconds_needed(self._trials[number]) <= left]
        sound = (number for number in again if not failures.was_spared(self._trials[number], self.spec.failures))
        if (first := next(sound, None)) is not None:
            return self._job(self._trials.start_again(first, self.allowance.gpus))
        move = self._next_move()
        match move:
            case Proposal() if self._pace.seconds_needed(None, move.until) <= left:
                try:
                    return self._job(self._trials.add(move, self.spec.search.seed, self.allowance.gpus))
                except DuplicateConfig:
                    self._proposals.skip(move)
                    return self.next_job()
            case GoOn() if self._pace.seconds_needed(self._trials[move.number], move.until) <= left:
                return self._job(self._trials.start_again(move.number, self.allowance.gpus))
            case Done() if not self._attempts.numbers and not self._waiting:
                self._close(everything=True)
                return self._next_step()
            case Wait() if not self._attempts.numbers and not self._waiting:
                raise AssertionError(f"{type(self.policy).__name__} waits, but nothing runs that it could wait for")
        if again:  # Another trial was to show first whether the machine or this one is at fault.
            return self._job(self._trials.start_again(again[0], self.allowance.gpus))
        if move is not None and not self._attempts.numbers and not self.finished:
            self.stop("no trial would get far enough in what is left of the budget")
        return None

    @property
    def done_starting(self) -> bool:
        """Returns whether no job will start again in this session, whatever the running ones report."""
        return bool(self.stopping) or self.finished

    def stop(self, reason: str, status: Status = Status.PAUSED) -> None:
        """Starts nothing more; every running trial pauses at its next report. status: the study's after that."""
        self.stopping, self._ending = reason, status

    def pause(self, number: int, reason: str) -> None:
        """Pauses a trial: it goes on from its checkpoint, later in this session or in the next."""
        self._attempts.end(number, State.PAUSED, reason)

    def pause_all(self, reason: str) -> None:
        """Pauses what was running, because no worker runs any more; it goes on from its checkpoints."""
        for trial in self.running:
            self._attempts.pause_or_complete(trial.number, reason)
        self._after.give_up(reason)
        self._attempts.untidy.update(self._streak.end())

    # What happened

    def report(self, number: int, report: Report) -> Decision:
        """Records a report, then decides. The ledger has it before anything follows from it."""
        repeated = report.epoch <= self._trials[number].epochs
        trial = self._trials.record(number, report)
        self.outage.over((JobKind.TRAIN, number))
        self.lost_workers.reported()
        if report.checkpoint:
            self._retention.saved(number, report.epoch)
        dethroned = self._leader.reported(trial, repeated=repeated)
        self._attempts.untidy.update([number] if dethroned is None else [number, dethroned.number])
        if not repeated:
            self._pace.reported(trial)
        failure = failure_of(report, {self.objective.metric, self.policy.metric})
        if failure:
            self.fail(number, failure)
            self._stop_if_never_reported(failure)
            return Decision.PRUNE
        self._attempts.untidy.update(self._streak.reported(report.epoch))
        decision = self.policy.after(trial, report)
        if repeated and report.epoch < trial.epochs:
            decision = Decision.CONTINUE  # Its checkpoint was corrupt: it passed here before, and is not judged twice.
        if decision is Decision.PAUSE and (not report.checkpoint or self.last_epoch.reached(trial)):
            decision = Decision.CONTINUE  # Paused, it would repeat what came after its checkpoint, or nothing.
        self._on_event(Event("report", trial))
        if decision is Decision.PRUNE:
            self._attempts.end(number, State.PRUNED, self.policy.reason(decision, report))
        elif decision is Decision.PAUSE:
            self._pause_by_policy(trial, report)
        elif self._must_pause() and not self.ends_now(number):
            self._attempts.end(number, State.PAUSED, self.stopping or self.over or self.outage.reason)
            return Decision.PAUSE
        return decision

    def ends_now(self, number: int) -> bool:
        """Returns whether the trial has reported its last epoch, so that it only has to be let come to its own end."""
        return self.last_epoch.ends_now(self._trials[number], self.trials)

    def complete(self, number: int, said: str | None = None) -> None:
        """Ends a trial whose trainable came to its own end. said: why, if the trainable says so."""
        trial = self._trials[number]
        if trial.value(self.objective) is None:
            message = f"ended without one report of `{self.objective.metric}`"
            self.fail(number, Failure(FailureClass.EXCEPTION, message))
        else:
            self._attempts.end(number, State.COMPLETED, reason_of_end(trial, self.last_epoch.of(trial), said))

    def fail(self, number: int, failure: Failure) -> None:
        """Ends an attempt without result: the trial goes on from its checkpoint, or fails."""
        storage = failure.kind is FailureClass.STORAGE
        if storage and self.outage.refused(failure.message, (JobKind.TRAIN, number)):  # The next trial meets it, too.
            self._attempts.pause_or_complete(number, failure.message, failure.kind)
            return
        trial = self._trials[number]
        died = failure.kind in (FailureClass.WORKER_LOST, FailureClass.CRASH, FailureClass.HANG)
        if died and self.last_epoch.reached(trial):
            self._attempts.pause_or_complete(number, failure.message, failure.kind)
            return
        config = self._trainable.build_config(trial.config)
        verdict = failures.judge(failure, trial, config, self.spec.failures)
        machines = self._is_the_machines(trial, failure)
        kind = failures.recorded_class(failure, of_several=self.lost_workers.of_several)
        if verdict.again or machines:
            steps = verdict.accumulation_steps
            self._attempts.end(
                number, State.PAUSED, verdict.reason, event="retried", failure=kind, accumulation_steps=steps
            )
            return
        self._attempts.untidy.update(self._streak.failed(trial, failure))
        self._attempts.end(number, State.FAILED, verdict.reason, failure.traceback, failure=kind)
        if self._streak.too_long:
            self._give_up(failure)

    def end_step(self, number: int, ended: Ended) -> None:
        """Ends the attempt at a step: it is done, begins anew, or fails for good."""
        self._after.end(number, ended)

    def give_up_steps(self) -> set[JobRef]:
        """Pauses the running steps if the session is to stop; returns the attempts whose workers are to be ended.

        A trial stops at its next report; a step has none, and begins anew.
        """
        if self._after.steps.running:
            self._stop_if_used_up()
        return self._after.give_up(self.stopping) if self.stopping else set()

    def set_step_facts(self, number: int, facts: Mapping[str, Any]) -> None:
        """Records where the running attempt at a step runs: host, device, process."""
        self._after.steps.set_facts(number, facts)

    def set_facts(self, number: int, facts: Mapping[str, Any]) -> None:
        """Records where the running attempt runs: host, device, process."""
        gpus = {"gpus": self.allowance.gpus} if self.allowance.gpus else {}
        self._trials.set_facts(number, dict(facts) | gpus)

    def tidy(self) -> None:
        """Deletes the checkpoints that what happened since the last call has made worthless.

        Those of trials that failed alike, or whose workers were lost in a row, stay for now: if it is the code, or the
        machine, these trials go on at the next start.
        """
        kept = {*self._streak.trials, *(number for kind, number in self.lost_workers.works if kind is JobKind.TRAIN)}
        for number in sorted(self._attempts.untidy - kept):
            self._retention.tidy(self._trials[number], winner=number in self._leader.winners)
        self._attempts.untidy.intersection_update(kept)
        self._retention.fit(self._trials, self._leader.number)

    # Inside

    @property
    def _waiting(self) -> list[int]:
        """Numbers of the trials that the session had paused, ascending."""
        idle = (self._trials[n] for n in self._trials.unfinished if n not in self._attempts.numbers)
        return [trial.number for trial in idle if trial.paused_by is not PausedBy.POLICY]

    def _next_move(self) -> Proposal | GoOn | Wait | Done | None:
        return self._proposals.next(self.trials, self._attempts.numbers, self._trials.revision)

    def _job(self, trial: Trial) -> Job:
        self._attempts.begin(trial)
        self.attempts_started += 1
        self._proposals.look_ahead(self.trials, self._attempts.numbers, self._trials.revision)
        self._on_event(Event("started", trial))
        return Job(
            trial.number,
            trial.attempts,
            trial.config,
            trial.seed,
            trial.checkpoint_epoch,
            trial.accumulation_steps,
            self._pace.silence(trial, self.spec.failures),
        )

    def _next_step(self) -> Job | None:
        due = self._after.due(self.best)
        if self._attempts.numbers or not due:
            return None
        self._stop_if_used_up()
        if self.stopping:
            return None
        self.attempts_started += 1
        return self._after.start(due[0])

    def _stop_if_used_up(self) -> None:
        if not self.stopping and self.allowance.used_up:
            self.stop(self.allowance.used_up)

    def _must_pause(self) -> bool:
        self._stop_if_used_up()
        return bool(self.stopping or self.over or self.outage.reason)

    def _pause_by_policy(self, trial: Trial, report: Report) -> None:
        reason = self.policy.reason(Decision.PAUSE, report)
        self._attempts.end(trial.number, State.PAUSED, reason, paused_by=PausedBy.POLICY)
        self._close()

    def _close(self, *, everything: bool = False) -> None:
        """Prunes the paused trials that the policy lets go; everything: those that it has forgotten, too."""
        paused = [n for n in self._trials.unfinished if self._trials[n].paused_by is PausedBy.POLICY]
        reasons = self.policy.close(self.trials) if paused else {}
        for number in paused:
            if number in reasons or everything:
                self._attempts.end(number, State.PRUNED, reasons.get(number, "the search ended before it went on"))

    def _is_the_machines(self, trial: Trial, failure: Failure) -> bool:
        """Returns whether workers of one trial after another are lost: then none of these trials fails."""
        if not failures.may_be_the_machines(failure):
            return False
        lost = self.lost_workers
        lost.lost(JobRef(JobKind.TRAIN, trial.number, trial.attempts), failure.message)
        if not lost.of_several or (lost.pauses >= LAST_PAUSES and self._is_last_to_try(trial)):
            return False
        self._attempts.take_back(number for kind, number in lost.works if kind is JobKind.TRAIN)
        if lost.pauses > (MOST_PAUSES if any(each.reports for each in self.trials) else MOST_PAUSES_AT_FIRST):
            self.stop(f"{lost.reason}; the machine did not recover", Status.FAILED)
        return True

    def _is_last_to_try(self, trial: Trial) -> bool:
        """Returns whether only trials are left that have lost as many workers as they may, so that none can tell."""
        left = [self._trials[n] for n in self._trials.unfinished if self._trials[n].paused_by is not PausedBy.POLICY]
        spared = all(failures.was_spared(each, self.spec.failures) for each in [trial, *left])
        return spared and isinstance(self._next_move(), Done)

    def _give_up(self, failure: Failure) -> None:
        """Stops the study, because the code is at fault, not the configs; what failed goes on at the next start."""
        self._attempts.take_back(self._streak.trials)
        if not self.stopping:
            where = "" if failure.place is None else f" at {failure.place}"
            count = len(self._streak.trials)
            self.stop(f"{count} trials in a row failed alike: {failure.message}{where}", Status.FAILED)

    def _stop_if_never_reported(self, failure: Failure) -> None:
        """Stops the study at the first report: the file is at fault, not the trial; once it is mended, all go on."""
        missing = never_reported({self.objective.metric, self.policy.metric}, self.trials)
        if not missing:
            return
        self._attempts.take_back(trial.number for trial in self.trials if trial.reports)
        key = "objective.metric" if self.objective.metric in missing else "scheduler.metric"
        if not self.stopping:
            mend = f" Mend `{key}`" if failure.message.endswith("?") else f"; mend `{key}`"
            self.stop(f"{failure.message}{mend} in the study file", Status.FAILED)

    def _settle(self) -> None:
        """Carries out what followed from a report when the last driver died before it was written."""
        failing = {self.objective.metric, self.policy.metric}
        for number, found in unsettled(self._ledger.history(self._id), self._trials, self.policy, failing):
            match found:
                case Failure():
                    self.fail(number, found)
                case Decision.PRUNE, report:
                    self._attempts.end(number, State.PRUNED, self.policy.reason(Decision.PRUNE, report))
                case Decision.PAUSE, report if report.checkpoint:
                    self._pause_by_policy(self._trials[number], report)
                case _:
                    self._attempts.pause_or_complete(number, "the driver died")
        for number in self._waiting:
            if self._trials[number].error is None:
                self._attempts.pause_or_complete(number, self._trials[number].reason)
        newest = max((trial.reports[-1].at for trial in self.trials if trial.reports), default=0.0)
        self._attempts.take_back(trial.number for trial in self.trials if failures.lost_since(trial, newest))
