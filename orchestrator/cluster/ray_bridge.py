"""Knows Ray Tune's Searcher, Scheduler, Callback and Trainable, as no other file does.

Ray is muscle without memory. A Ray trial is one attempt: it starts with a job of ours and ends whenever we say STOP,
whether the trial is then completed, pruned, paused or failed in the ledger. Ray's own pausing, checkpointing and
retrying are not used.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any, Protocol

import ray.tune
from ray.tune import Callback
from ray.tune.execution.tune_controller import TuneController
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from orchestrator.cluster.hangs import HangWatch
from orchestrator.cluster.remote_service import RemoteService
from orchestrator.home import trial_directory
from orchestrator.job import MACHINES_MEMORY, Ended, Failure, FailureClass, Job, JobRef, OutOfSight, Workplace
from orchestrator.trial import Report
from orchestrator.worker.trial_process import TrialProcess

STUCK_SECONDS = 60.0  # a worker that has no place for so long waits for one in pieces


class Driver(Protocol):
    """Links this process to the driver, which owns the study and answers `service`."""

    service: RemoteService

    def exchange(self, stuck: bool = False) -> bool: ...
    def take_given_up(self) -> set[JobRef]: ...


class Worker(ray.tune.Trainable):
    """Runs attempts in a process of their own, one after another in the same one where nothing speaks against it."""

    _process: TrialProcess | None = None

    def setup(self, config: dict[str, Any]) -> None:
        job, workplace = config["job"], config["workplace"]
        self.config: dict[str, Any] = {}  # Ray would send it back with every result.
        self._in_sight = workplace.in_sight
        if not self._in_sight:
            return
        if self._process is None:
            self._process = TrialProcess(job, workplace)
        else:
            self._process.begin(job, workplace)
        self._facts = {"host": socket.gethostname(), "pid": self._process.pid, "device": workplace.device}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        if self._process is not None and not self._process.close():
            self._process = None
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        if not self._in_sight:
            return {"said": OutOfSight(socket.gethostname())}
        assert self._process is not None
        answer = self._process.step()
        return {"said": answer.said, "facts": tuple({**self._facts, **answer.facts}.items())}

    def cleanup(self) -> None:
        if self._process is not None and self._process.close():
            self._process.end()
        self._process = None

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        return None  # ours are written by the attempt, and named by the ledger

    def load_checkpoint(self, checkpoint: Any) -> None:
        return None


class _Unpickled:
    """Stays out of the snapshots of searchers and schedulers, which Ray pickles and we never read."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class JobSearcher(_Unpickled, Searcher):
    """Hands out the study's jobs as Ray trials."""

    def __init__(self, driver: Driver, workplace: Workplace) -> None:
        super().__init__()
        self._driver = driver
        self._workplace = workplace
        self.jobs: dict[str, Job] = {}  # Ray's trial id -> what it runs
        self.waiting: dict[str, float] = {}  # Ray's trial id -> monotonic time since which it has no place

    def suggest(self, trial_id: str) -> Any:
        self._driver.exchange()
        if not self._driver.service.news:  # Tune asks after every report; the driver need not be
            return None
        job = self._driver.service.next_job()
        if job is not None:
            self.jobs[trial_id] = job
            self.waiting[trial_id] = time.monotonic()
            return {"job": job, "workplace": self._workplace}
        # Said too early, FINISHED would end the reuse of actors; said at the true end, it lets fit() return.
        return Searcher.FINISHED if self._driver.service.is_over() else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        return None

    def save(self, checkpoint_path: str) -> None:
        return None

    def restore(self, checkpoint_path: str) -> None:
        return None


class ReportScheduler(_Unpickled, TrialScheduler):
    """Carries what workers say to the study, and its decisions back."""

    _supports_buffered_results = False

    def __init__(self, driver: Driver, searcher: JobSearcher, watch: HangWatch, directory: Path) -> None:
        super().__init__()
        self._driver = driver
        self._searcher = searcher
        self._directory = directory  # the study's
        self._watch = watch
        self._placed: set[str] = set()  # Ray's trial ids of the attempts whose place is in the ledger

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        ref = self._searcher.jobs[trial.trial_id].ref
        said = result["said"]
        if isinstance(said, OutOfSight):
            self._driver.service.out_of_sight(said.host)
            return TrialScheduler.STOP
        if trial.trial_id not in self._placed:
            self._placed.add(trial.trial_id)
            self._driver.service.place(ref, dict(result["facts"]))
        if isinstance(said, Report):
            self._watch.reported(trial.trial_id, said.seconds)
            if self._driver.service.report(ref, said):
                return TrialScheduler.CONTINUE
        else:
            self._driver.service.end(ref, said)
        self._watch.end(trial.trial_id)
        return TrialScheduler.STOP

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        job = self._searcher.jobs[trial.trial_id]
        self._searcher.waiting.pop(trial.trial_id, None)
        failure = _out_of_memory(trial)
        if failure is None:
            log = trial_directory(self._directory, job.number) / "log.txt"
            failure = self._watch.why_lost(trial.trial_id, log)
        self._watch.end(trial.trial_id)
        self._driver.service.end(job.ref, Ended(failure))

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        return None

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        return None

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        return None

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        controller = tune_controller._tune_controller
        idle = controller._actor_cache.num_cached_objects > len(controller._pending_trials)
        if idle and self._driver.service.is_full():
            controller._cleanup_cached_actors(force_all=True)  # they keep places that others wait for
        waiting = [t for t in tune_controller.get_live_trials() if t.status == "PENDING"]
        waiting.sort(key=lambda t: self._searcher.jobs[t.trial_id].number)
        return next((t for t in waiting if tune_controller.trial_executor.has_resources_for_trial(t)), None)

    def debug_string(self) -> str:
        return ""


def _out_of_memory(trial: Any) -> Failure | None:
    """Returns the failure where Ray itself killed the worker for memory, which it says in words alone."""
    text = Path(trial.error_file).read_text(errors="replace") if trial.error_file else ""
    if "running low on memory" not in text:
        return None
    message = "its machine ran out of memory, and Ray killed the worker"
    return Failure(FailureClass.OUT_OF_MEMORY, message, text, cause=MACHINES_MEMORY)


class Tick(_Unpickled, Callback):
    """Keeps the study's share of the cluster up to date, and ends workers that are frozen."""

    def __init__(self, driver: Driver, searcher: JobSearcher, watch: HangWatch) -> None:
        self._driver = driver
        self._searcher = searcher
        self._watch = watch
        self._given_up: set[JobRef] = set()  # attempts whose workers are to be ended

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        job = self._searcher.jobs[trial.trial_id]
        self._searcher.waiting.pop(trial.trial_id, None)
        assert job.silence is not None
        self._watch.begin(trial.trial_id, job.silence)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        now = time.monotonic()
        self._driver.exchange(any(now - since > STUCK_SECONDS for since in self._searcher.waiting.values()))
        self._watch.tick()
        frozen = self._watch.frozen()
        self._given_up |= self._driver.take_given_up()
        for trial in trials if frozen or self._given_up else ():
            ref, actor = self._searcher.jobs[trial.trial_id].ref, trial.temporary_state.ray_actor
            if actor is not None and (trial.trial_id in frozen or ref in self._given_up):
                self._given_up.discard(ref)
                ray.kill(actor)


class Silent(TrialProgressCallback):
    """Prints nothing: Ray prints its own trial table unless such a callback is given."""

    def __init__(self) -> None:
        return None

    def __getattribute__(self, name: str) -> Any:
        if name.startswith(("on_", "log_")):
            return lambda *arguments, **named: None
        return object.__getattribute__(self, name)


def drive(driver: Driver, workplace: Workplace, *, cpu: float, gpu: float, storage: str) -> None:
    """Runs the driver's jobs on Ray (already initialised) until it says that it is over."""
    TuneController._get_trial_checkpoints = lambda self: {}  # for snapshots that nobody reads: milliseconds a trial
    searcher, watch = JobSearcher(driver, workplace), HangWatch()
    scheduler = ReportScheduler(driver, searcher, watch, Path(workplace.study_directory))
    tuner = ray.tune.Tuner(
        ray.tune.with_resources(Worker, ray.tune.PlacementGroupFactory([{"CPU": cpu, "GPU": gpu}])),
        tune_config=ray.tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: trial.trial_id,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=ray.tune.RunConfig(
            name="ray",
            storage_path=storage,
            verbose=0,
            callbacks=[Tick(driver, searcher, watch), Silent()],
            failure_config=ray.tune.FailureConfig(max_failures=0),
        ),
    )
    tuner.fit()
