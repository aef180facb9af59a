"""A study's session on Ray: its trials, then the scoring of its winner; another cluster when the first one dies."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cluster.ray_process import RayLost, RayProcess, RayUnavailable, WorkFailed, session
from orchestrator.cluster.sharing import gpus_per_trial
from orchestrator.cluster.study_service import StudyService
from orchestrator.cluster.upkeep import Upkeep, signals
from orchestrator.home import trial_directory
from orchestrator.job import Job, Workplace
from orchestrator.progress import Progress
from orchestrator.study.study import Study
from orchestrator.trial import Trial
from orchestrator.worker import scoring
from trainables import Trainable

RESTARTS = 3  # of a cluster that died under the study: what kills a fourth is no accident


def work(study: Study, trainable: Trainable, upkeep: Upkeep, address: str | None, progress: Progress) -> None:
    """Drive the study until it is done or asked to stop. Raises RayUnavailable, InputMistake."""
    if study.stopping or (study.finished and not due(study, trainable)):
        return  # a finished study needs no Ray
    name = study.spec.study
    progress.say(f"{name}: starting Ray" + (f" at {address}" if address else ""))
    with signals(study, progress):
        for left in reversed(range(RESTARTS + 1)):
            try:
                with session(address, threads=max(1, int(study.spec.resources.cpu))) as ray:
                    where = "this machine" if address is None else f"the cluster at {address}"
                    _ClusterSession(study, trainable, ray, upkeep, progress, where, alone=address is None).run()
                return
            except RayLost as lost:
                if study.stopping:
                    return
                if address is not None or left == 0:
                    raise RayUnavailable(f"{name}: {lost}; its trials are paused, the same command goes on") from lost
                progress.say(f"{name}: {lost}; its trials go on from their checkpoints on another, which starts now")


@dataclass
class _ClusterSession:
    """What is done on one cluster."""

    study: Study
    trainable: Trainable
    ray: RayProcess
    upkeep: Upkeep
    progress: Progress
    where: str
    alone: bool  # the cluster is this machine

    def run(self) -> None:
        study = self.study
        gpu = gpus_per_trial(study.spec, self.ray.resources)
        study.allowance.gpus = gpu
        service = StudyService(study, gpu, self.progress.say, self.where)
        self.progress.begin(study, self.upkeep.ends)
        with nullcontext() if self.alone else _token(study) as token:
            workplace = Workplace(
                trainable=study.spec.trainable,
                data=study.spec.data,
                study_directory=str(study.directory),
                device="cuda" if gpu > 0 else "cpu",
                search_path=str(Path.cwd()),
                storage=study.storage,
                token=token,
            )
            while not study.done_starting:
                self.ray.wait(service, self.upkeep.beat)
                self._drive(service, workplace, gpu)
            if not study.stopping:
                self._score(service, workplace, gpu)

    def _drive(self, service: StudyService, workplace: Workplace, gpu: float) -> None:
        study = self.study
        storage = study.directory / ".ray"
        shutil.rmtree(storage, ignore_errors=True)
        reason = "the driver stopped"
        try:
            self.ray.drive(service, workplace, study.spec.resources.cpu, gpu, str(storage), self.upkeep.beat)
        except RayLost as lost:
            reason = str(lost)
            raise
        finally:
            study.pause_all(study.stopping or reason)
            study.tidy()
            shutil.rmtree(storage, ignore_errors=True)

    def _score(self, service: StudyService, workplace: Workplace, gpu: float) -> None:
        study, winner = self.study, self.study.best
        for trial in due(study, self.trainable):
            self.progress.say(f"{trial.number:04d}  scoring on the test split")
            job = job_of(trial, study)
            pictures = winner is not None and trial.number == winner.number
            service.scoring = True
            try:
                metrics = self.ray.call(
                    scoring.score,
                    job,
                    workplace,
                    pictures,
                    cpu=study.spec.resources.cpu,
                    gpu=gpu,
                    service=service,
                    tick=self.upkeep.beat,
                )
            except WorkFailed as error:  # a winner that cannot be scored is still the winner
                log = trial_directory(study.directory, trial.number) / "log.txt"
                self.progress.say(f"{trial.number:04d}  cannot be scored: {str(error).splitlines()[-1]}; see {log}")
            else:
                study.set_test(trial.number, metrics)
            finally:
                service.scoring = False


@contextmanager
def _token(study: Study) -> Iterator[tuple[str, str] | None]:
    """A file where the checkpoints lie, and its text, by which a worker sees that it sees the same folder."""
    if study.storage is not None and "://" in study.storage:
        yield None
        return
    folder = Path(study.storage) if study.storage is not None else study.directory
    folder.mkdir(parents=True, exist_ok=True)
    file, text = folder / ".session", secrets.token_hex()
    file.write_text(text)
    try:
        yield str(file), text
    finally:
        file.unlink(missing_ok=True)


def due(study: Study, trainable: Trainable) -> list[Trial]:
    """The winner and the baselines that still lack a score or pictures, and have a checkpoint to make them from."""
    best = study.best
    if best is None or (trainable.test is None and trainable.examples is None):
        return []
    wanted = [best] + [t for t in study.trials if t.baseline is not None and t.number != best.number]
    return [t for t in wanted if t.test is None and study.best_kept_epoch(t) is not None]


def job_of(trial: Trial, study: Study) -> Job:
    """The scoring of one trial as a job: the best of its checkpoints is the one to load."""
    return Job(trial.number, trial.attempts, trial.config, trial.seed, study.best_kept_epoch(trial))
