"""Does what follows a study's search: the next step as a job, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from orchestrator.job import Ended, FailureClass, Job, JobRef, Silence
from orchestrator.step import Step
from orchestrator.study import failures
from orchestrator.study.budget import Allowance
from orchestrator.study.event import Event
from orchestrator.study.outages import LAST_PAUSES, LostWorkers, StorageOutage
from orchestrator.study.steps import DueStep, Steps, due, ref_of
from orchestrator.study.trials import Trials
from orchestrator.study_file.sections import FailuresSpec
from orchestrator.trial import Trial
from trainables import Trainable


@dataclass(frozen=True)
class AfterSearch:
    """Hands out steps and records their ends, for one session of a study.

    kept_epoch: the best epoch of a trial whose checkpoint is there. silence: how long a worker may take.
    """

    steps: Steps
    trials: Trials
    trainable: Trainable
    policy: FailuresSpec
    allowance: Allowance
    outage: StorageOutage
    lost_workers: LostWorkers
    kept_epoch: Callable[[Trial], int | None]
    silence: Callable[[Trial], Silence]
    on_event: Callable[[Event], None]

    def due(self, best: Trial | None) -> list[DueStep]:
        """Returns what is to be done for the study whose best trial this is, and does not run yet."""
        if self.trainable.test is None and self.trainable.examples is None:
            return []
        running = self.steps.running
        found = due(best, self.trials.listed, self.steps.listed, self.kept_epoch)
        return [each for each in found if not any(map(each.is_of, running))]

    def start(self, work: DueStep) -> Job:
        """Starts a step that is due."""
        trial = self.trials[work.trial]
        step = self.steps.start(work, trial.accumulation_steps, self.allowance.gpus)
        self.allowance.start(ref_of(step))
        self.on_event(Event("started", trial, step))
        return Job(
            trial.number,
            step.attempts,
            trial.config,
            trial.seed,
            work.epoch,
            step.accumulation_steps,
            self.silence(trial),
            kind=work.kind,
            step=step.number,
            pictures=work.pictures,
        )

    def end(self, number: int, ended: Ended) -> None:
        """Ends the attempt at a step: it is done, begins anew, or fails for good."""
        step, failure = self.steps[number], ended.failure
        if failure is None:
            completed = self.steps.complete(number, ended.result)
            self.trials.scored(step.trial, ended.result)
            self.outage.over((step.kind, number))
            self.lost_workers.reported()
            self._ended(step, completed, "completed")
        elif failure.kind is FailureClass.STORAGE and self.outage.refused(failure.message, (step.kind, number)):
            self._ended(step, self.steps.pause(number, failure.message, failure), "paused")
        else:
            config = self.trainable.build_config(self.trials[step.trial].config)
            verdict = failures.judge(failure, step, config, self.policy)
            machines, lost = failures.may_be_the_machines(failure), self.lost_workers
            if machines:
                lost.lost(ref_of(step), failure.message)
                failure = replace(failure, kind=failures.recorded_class(failure, of_several=lost.of_several))
            if verdict.again or (machines and lost.of_several and lost.pauses < LAST_PAUSES):
                paused = self.steps.pause(number, verdict.reason, failure, verdict.accumulation_steps)
                self._ended(step, paused, "retried")
            else:
                self._ended(step, self.steps.fail(number, verdict.reason, failure), "failed")

    def give_up(self, reason: str) -> set[JobRef]:
        """Pauses the running steps, which begin anew; returns their attempts."""
        running = self.steps.running
        for step in running:
            self._ended(step, self.steps.pause(step.number, reason), "paused")
        return {ref_of(step) for step in running}

    def _ended(self, before: Step, after: Step, event: str) -> None:
        self.allowance.end(ref_of(before))
        self.on_event(Event(event, self.trials[after.trial], after))
