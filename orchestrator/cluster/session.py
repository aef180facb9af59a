"""Runs a study's session on Ray: its trials, then its steps; another cluster when the first one dies."""

from __future__ import annotations

import math
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cluster.errors import RayLost, RayUnavailable
from orchestrator.cluster.ray_process import RayProcess, session
from orchestrator.cluster.sharing import gpus_per_trial
from orchestrator.cluster.study_service import StudyService
from orchestrator.cluster.upkeep import Upkeep, signals
from orchestrator.job import Workplace
from orchestrator.mistake import duration
from orchestrator.progress import Progress
from orchestrator.study.study import Study

SAY_AFTER_SECONDS = 6.0  # of waiting for a cluster; from then on at twice the time each
RESTARTS = 3  # of a cluster that died under the study: what kills a fourth is no accident


def work(study: Study, upkeep: Upkeep, address: str | None, progress: Progress) -> None:
    """Drives the study until it is done or asked to stop. Raises RayUnavailable, InputMistake."""
    if study.stopping or study.finished:
        return  # a finished study needs no Ray
    name = study.spec.study
    progress.say(f"{name}: starting Ray" + (f" at {address}" if address else ""))
    waits = Waits(study, upkeep, progress)
    with signals(study, progress):
        for left in reversed(range(RESTARTS + 1)):
            try:
                with session(address, study.spec.resources.threads, waits) as ray:
                    where = "this machine" if address is None else f"the cluster at {address}"
                    _ClusterSession(study, ray, upkeep, progress, where, alone=address is None).run()
                return
            except NotWaitedFor:
                return
            except RayLost as lost:
                if study.stopping:
                    return
                if address is not None or left == 0:
                    raise RayUnavailable(f"{name}: {lost}; its trials are paused, the same command goes on") from lost
                progress.say(f"{name}: {lost}; its trials go on from their checkpoints on another, which starts now")


class NotWaitedFor(Exception):
    """Ends the wait for a cluster, because the study is to stop."""


class Waits:
    """Keeps the study's lease alive while its session waits for a cluster, and says for what it waits.

    Raises NotWaitedFor once the study is to stop.
    """

    def __init__(self, study: Study, upkeep: Upkeep, progress: Progress) -> None:
        self._study, self._upkeep, self._progress = study, upkeep, progress
        self._what = ""
        self._next = SAY_AFTER_SECONDS

    def __call__(self, seconds: float, what: str) -> None:
        """Is told what is waited for, and for how many seconds by now; to be called several times a second."""
        self._upkeep.beat()
        if self._study.stopping:
            raise NotWaitedFor
        if what != self._what:
            self._what, self._next = what, max(SAY_AFTER_SECONDS, math.ceil(seconds))
        if seconds >= self._next:
            self._next = 2 * self._next
            self._progress.say(f"{self._study.spec.study}: waiting for {what}, for {duration(seconds)} by now")


@dataclass
class _ClusterSession:
    """Does what is done on one cluster."""

    study: Study
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
                fresh_process=study.spec.resources.fresh_process,
                token=token,
                watch=study.watch,
            )
            while not study.done_starting:
                self.ray.wait(service, self.upkeep.beat)
                self._drive(service, workplace, gpu)

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


@contextmanager
def _token(study: Study) -> Iterator[tuple[str, str] | None]:
    """Yields a file where the checkpoints lie, and its text, by which a worker sees that it sees the same folder."""
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
