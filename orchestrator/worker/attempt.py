"""One attempt at one trial, inside a worker process: drive the trainable's generator and say what it gave.

Knows nothing of Ray: the bridge calls `Attempt.step()` once an epoch.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.home import trial_directory
from orchestrator.job import Ended, Failure, Job, JobKind, Silence, Workplace
from orchestrator.trial import Report
from orchestrator.worker.failure import failure_of
from orchestrator.worker.metrics import WrongMetrics, numbers_of
from orchestrator.worker.run import WorkerRun, load
from orchestrator.worker.scoring import score


@dataclass
class Attempt:
    """Owns the generator and the trial's log.txt while it lives."""

    job: Job
    workplace: Workplace
    facts: dict[str, str] = field(init=False, default_factory=dict)  # what the ledger should know of it
    _metrics: Iterator[Mapping[str, float]] | None = field(init=False, default=None)
    _run: WorkerRun = field(init=False)
    _unable: OSError | None = field(init=False, default=None)  # to write its log
    _silence: Silence | None = field(init=False)

    def __post_init__(self) -> None:
        self._silence = self.job.silence
        directory = trial_directory(Path(self.workplace.study_directory), self.job.number)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            redirect_output(directory / "log.txt")
        except OSError as error:
            self._unable = error
        self._run = WorkerRun(self.workplace, self.job.number, self.job.seed)

    def step(self) -> Report | Ended:
        """One epoch: its report, or the end. Never raises what the trainable raised."""
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
                    said = end.value if isinstance(end.value, str) else None
                    print("--- done" if said is None else f"--- done: {said}", flush=True)
                    return Ended(said=said)
            values = numbers_of(metrics)
        except BaseException as error:  # whatever a trainable raises is the trial's failure, not ours
            return Ended(self._failed(error))
        report = Report(self._run.epoch + 1, values, time.perf_counter() - started, time.time(), self._run.saved)
        self._run.reported()
        if self._silence is not None:
            self._silence = self._silence.after(report.seconds)
        with suppress(OSError):  # a full disk costs a line of the log, not an epoch
            print(f"epoch {report.epoch}: {values}", flush=True)
        return report

    def close(self) -> None:
        """End the generator and give back what it held."""
        if self._metrics is not None and hasattr(self._metrics, "close"):
            try:
                with self._watched():
                    self._metrics.close()
            except Exception:
                with suppress(OSError):
                    traceback.print_exc()
        self._metrics = None
        self._run.close()
        gc.collect()
        torch = sys.modules.get("torch")  # only where the trainable brought it
        if torch is not None and self.workplace.device == "cuda":
            torch.cuda.empty_cache()
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()

    def _begin(self) -> Iterator[Mapping[str, float]]:
        passed_over = self._run.resume(self.job.checkpoint_epoch)
        start = f"from the checkpoint of epoch {self._run.epoch}" if self._run.epoch else "from the start"
        print(f"--- attempt {self.job.attempt} {start}, process {os.getpid()}: {self.job.config}", flush=True)
        if passed_over:
            self.facts["checkpoint"] = "; ".join((*passed_over, f"went on {start}"))
            print(f"--- {self.facts['checkpoint']}", flush=True)
        trainable = load(self.workplace)
        return trainable.reports(trainable.build_config(self._config()), self._run)

    def _score(self) -> dict[str, float]:
        epoch = self.job.checkpoint_epoch
        assert epoch is not None
        print(f"--- scoring of epoch {epoch}, attempt {self.job.attempt}, process {os.getpid()}", flush=True)
        trainable = load(self.workplace)
        directory = trial_directory(Path(self.workplace.study_directory), self.job.number)
        with self._run.at(epoch) as run:
            metrics = score(trainable, self._config(), run, directory / "examples" if self.job.pictures else None)
        print(f"scored: {metrics}", flush=True)
        return numbers_of(metrics)

    def _config(self) -> dict[str, Any]:
        if self.job.accumulation_steps is None:
            return self.job.config
        print(f"--- accumulation_steps {self.job.accumulation_steps}, because memory ran out", flush=True)
        return self.job.config | {"accumulation_steps": self.job.accumulation_steps}

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Past the limit, the stacks of all threads go to the log and the process ends, even if it holds the GIL."""
        if self._silence is None:
            yield
            return
        limit = min(self._silence.limit, threading.TIMEOUT_MAX)
        faulthandler.dump_traceback_later(limit, exit=True, file=2)  # by number: sys.stderr may be anybody's
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _failed(self, error: BaseException) -> Failure:
        failure = failure_of(error, self._yielded_at() if isinstance(error, WrongMetrics) else None)
        with suppress(OSError):
            print(failure.traceback or failure.message, file=sys.stderr, flush=True)
        return failure

    def _yielded_at(self) -> str | None:
        """The line of the trainable that has just yielded, as file:line."""
        frame = getattr(self._metrics, "gi_frame", None)
        return None if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def redirect_output(path: Path) -> None:
    """Send everything this process and its children print to `path`: file descriptors, not sys.stdout alone."""
    with suppress(OSError):  # what a full disk did not take of the attempt before
        sys.stdout.flush()
        sys.stderr.flush()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
