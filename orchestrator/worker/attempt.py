"""Runs one attempt at one trial, in a process for trials: drives the trainable's generator and says what it gave.

Knows nothing of Ray: `Attempt.step()` is called once an epoch. None of our own lines goes through sys.stdout, which
belongs to the trainable.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.home import trial_directory
from orchestrator.job import Ended, Failure, Job, JobKind, Silence, Workplace
from orchestrator.trial import Report
from orchestrator.worker.failure import clean, failure_of
from orchestrator.worker.metrics import numbers_of
from orchestrator.worker.run import WorkerRun, load
from orchestrator.worker.scoring import score
from orchestrator.worker.trial_log import TrialLog


@dataclass
class Attempt:
    """Owns the generator and the trial's log.txt while it lives. loaded: is called once the trainable is imported."""

    job: Job
    workplace: Workplace
    loaded: Callable[[], None] = lambda: None
    facts: dict[str, str] = field(init=False, default_factory=dict)  # what the ledger should know of it
    _metrics: Iterator[Mapping[str, float]] | None = field(init=False, default=None)
    _run: WorkerRun = field(init=False)
    _log: TrialLog | None = field(init=False, default=None)
    _unable: OSError | None = field(init=False, default=None)  # to write its log
    _silence: Silence | None = field(init=False)

    def __post_init__(self) -> None:
        self._silence = self.job.silence
        directory = trial_directory(Path(self.workplace.study_directory), self.job.number)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._log = TrialLog(directory / "log.txt")
        except OSError as error:
            self._unable = error
        self._run = WorkerRun(self.workplace, self.job.number, self.job.seed)

    def step(self) -> Report | Ended:
        """Runs one epoch; returns its report, or the end. Never raises what the trainable raised."""
        started = time.perf_counter()
        try:
            if self._unable is not None:
                raise self._unable
            with self._watched():
                if self.job.kind is JobKind.SCORE:
                    return Ended(result=self._score())
                if self._metrics is None:
                    self._metrics = self._begin()
                try:
                    metrics = next(self._metrics)
                except StopIteration as end:
                    said = clean(end.value) if isinstance(end.value, str) else None
                    self._say("--- done" if said is None else f"--- done: {said}")
                    return Ended(said=said)
                try:
                    values = numbers_of(metrics)
                except Exception as wrong:
                    return Ended(self._failed(wrong, yielded_at(self._metrics)))
        except BaseException as error:  # whatever a trainable raises is the trial's failure, not ours
            return Ended(self._failed(error))
        report = Report(self._run.epoch + 1, values, time.perf_counter() - started, time.time(), self._run.saved)
        self._run.reported()
        if self._silence is not None:
            self._silence = self._silence.after(report.seconds)
        self._say(f"epoch {report.epoch}: {values}")
        return report

    def close(self, put_back: Callable[[], str | None] = lambda: None) -> str | None:
        """Ends the generator, gives back what it held, and puts back what it changed.

        Returns why the process cannot be used for another attempt, as `put_back` does; None where it can.
        """
        with self._watched():
            if self._metrics is not None and hasattr(self._metrics, "close"):
                try:
                    self._metrics.close()
                except BaseException as error:  # of a trial that has its end: it is charged to nobody
                    self._failed(error)
            self._metrics = None
            self._run.close()
            gc.collect()
            torch = sys.modules.get("torch")  # only where the trainable brought it
            if torch is not None and self.workplace.device == "cuda":
                torch.cuda.empty_cache()
            reason = put_back()
        if reason is not None:
            self._say(f"--- its process is not used for another trial: {reason}")
        if self._log is not None:
            self._log.close()
        return reason

    def _begin(self) -> Iterator[Mapping[str, float]]:
        passed_over = self._run.resume(self.job.checkpoint_epoch)
        start = f"from the checkpoint of epoch {self._run.epoch}" if self._run.epoch else "from the start"
        self._say(f"--- attempt {self.job.attempt} {start}, process {os.getpid()}: {self.job.config}")
        if passed_over:
            self.facts["checkpoint"] = "; ".join((*passed_over, f"went on {start}"))
            self._say(f"--- {self.facts['checkpoint']}")
        trainable = load(self.workplace)
        self.loaded()
        return trainable.reports(trainable.build_config(self._config()), self._run)

    def _score(self) -> dict[str, float]:
        epoch = self.job.checkpoint_epoch
        assert epoch is not None
        self._say(f"--- scoring of epoch {epoch}, attempt {self.job.attempt}, process {os.getpid()}")
        trainable = load(self.workplace)
        self.loaded()
        directory = trial_directory(Path(self.workplace.study_directory), self.job.number)
        with self._run.at(epoch) as run:
            metrics = score(trainable, self._config(), run, directory / "examples" if self.job.pictures else None)
        self._say(f"scored: {metrics}")
        return numbers_of(metrics)

    def _config(self) -> dict[str, Any]:
        if self.job.accumulation_steps is None:
            return self.job.config
        self._say(f"--- accumulation_steps {self.job.accumulation_steps}, because memory ran out")
        return self.job.config | {"accumulation_steps": self.job.accumulation_steps}

    def _watched(self) -> AbstractContextManager[None]:
        """Ends the process past the limit, the stacks of all threads in the log."""
        return nullcontext() if self._silence is None or self._log is None else self._log.watched(self._silence.limit)

    def _say(self, line: str) -> None:
        if self._log is not None:
            self._log.line(line)

    def _failed(self, error: BaseException, place: str | None = None) -> Failure:
        failure = failure_of(error, place)
        self._say(failure.traceback or failure.message)
        return failure


def yielded_at(generator: Any) -> str | None:
    """Returns the line at which a generator has just yielded, as file:line; None of another iterator."""
    while hasattr(inner := getattr(generator, "gi_yieldfrom", None), "gi_frame"):
        generator = inner
    frame = getattr(generator, "gi_frame", None)
    return None if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
