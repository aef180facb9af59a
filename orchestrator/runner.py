"""Runs a study: opens it in the ledger, drives it on Ray until it is done or must stop, scores the winner.

Every start is a resume: what the ledger holds is taken as it is, whatever ended the last session.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator import scoring
from orchestrator.budget import Limits, deadline
from orchestrator.checkpoints import trial_directory
from orchestrator.continuation import adopt, fingerprint_of, known, open_study, with_limits
from orchestrator.heart import Heart, signals
from orchestrator.home import Home
from orchestrator.job import Workplace
from orchestrator.ledger import Ledger
from orchestrator.mistakes import InputMistake
from orchestrator.outcome import Outcome, Status
from orchestrator.progress import Progress
from orchestrator.ray_session import call, local_resources, session
from orchestrator.storage import place_of
from orchestrator.study import Study
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.tracking import Tracker, default_uri
from orchestrator.warm_start import warm_start
from trainables import Trainable, load_trainable

LEDGER_SECONDS = 600.0  # to wait for a ledger whose server went away


def run(
    spec: StudySpec,
    home: Home,
    progress: Progress,
    *,
    limits: Limits,
    address: str | None = None,
    file: str = "",
    before: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run `spec` until its budget is used up or the session must stop. Raises InputMistake, StudyHeld, LedgerError.

    before: called once the spec fits data and machine, before anything is created; what it raises ends the start.
    """
    trainable = load_trainable(spec.trainable)
    fingerprint = fingerprint_of(trainable, spec, file)
    if address is None and not known(home, spec.study):
        placement(spec, local_resources())  # said before anything is created
    warm = warm_start(home, spec, trainable, file)
    before()
    ledger = Ledger(home.ledger, patience=LEDGER_SECONDS, say=progress.say)
    row = open_study(ledger, spec, trainable, fingerprint, file)
    stale = ledger.acquire(row.id, os.getpid(), socket.gethostname())
    if stale is not None:
        progress.say(
            f"{row.name}: its last driver (process {stale.pid} on {stale.host}) is gone; going on from its ledger"
        )
    row, news = adopt(ledger, row, spec, trainable)
    for line in [*news, *warm.news]:
        progress.say(line)
    status, reason = Status.INTERRUPTED, None
    study: Study | None = None
    tracker: Tracker | None = None
    try:
        spec = with_limits(spec, limits, ledger, row)
        study = Study(
            spec,
            trainable,
            ledger,
            row.id,
            home.study(row.name),
            concurrency=1,
            warm=warm,
            storage=place_of(row.raw, row.uid),
            on_event=progress.event,
        )
        tracker = Tracker(home.ledger, row.id, default_uri(home.path, spec.tracking.uri), home.path, warn=progress.say)
        now = time.time()
        until = limits.until or spec.budget.until
        ends = deadline(now, hours_in_all=spec.budget.hours, seconds_used=row.seconds, hours=limits.hours, until=until)
        study.allowance.ends = ends
        if ends is not None and ends <= now:
            study.stop("no hours are left in the budget")
        _run_session(study, trainable, Heart(ledger, row.id, study, progress, ends), address, progress)
        status, reason = study.outcome
        if status in (Status.FINISHED, Status.FAILED):
            ledger.update_study(row.id, facts=row.facts | {"extension": None})
        return Outcome(status, study.attempts_started, row.name)
    except KeyboardInterrupt:
        return Outcome(Status.INTERRUPTED, study.attempts_started if study else 0, row.name)
    finally:
        progress.end()
        ledger.release(row.id, status, reason)
        if tracker is not None:
            tracker.close()


def _run_session(study: Study, trainable: Trainable, heart: Heart, address: str | None, progress: Progress) -> None:
    if study.stopping or (study.finished and not scoring.due(study, trainable)):
        return  # a finished study needs no Ray
    spec = study.spec
    progress.say(f"{spec.study}: starting Ray" + (f" at {address}" if address else ""))
    with session(address, threads=max(1, int(spec.resources.cpu))) as available:
        gpu, study.concurrency = placement(spec, available)
        workplace = Workplace(
            trainable=spec.trainable,
            data=spec.data,
            study_directory=str(study.directory),
            device="cuda" if gpu > 0 else "cpu",
            search_path=str(Path.cwd()),
            storage=study.storage,
        )
        with signals(study, progress):  # only now: ray.init installs a handler of its own
            progress.begin(study, heart.ends)
            if not study.finished:
                _drive(study, workplace, gpu, heart)
            if not study.stopping:
                _score(study, trainable, workplace, gpu, heart, progress)


def _score(
    study: Study, trainable: Trainable, workplace: Workplace, gpu: float, heart: Heart, progress: Progress
) -> None:
    winner = study.best
    for trial in scoring.due(study, trainable):
        progress.say(f"{trial.number:04d}  scoring on the test split")
        job = scoring.job_of(trial, study)
        pictures = winner is not None and trial.number == winner.number
        cpu = study.spec.resources.cpu
        try:
            metrics = call(scoring.score, job, workplace, pictures, cpu=cpu, gpu=gpu, tick=heart.beat)
        except Exception as error:  # a winner that cannot be scored is still the winner
            log = trial_directory(study.directory, trial.number) / "log.txt"
            progress.say(f"{trial.number:04d}  cannot be scored: {str(error).strip().splitlines()[-1]}; see {log}")
        else:
            study.set_test(trial.number, metrics)


def _drive(study: Study, workplace: Workplace, gpu: float, heart: Heart) -> None:
    from orchestrator.ray_bridge import drive  # imports ray.tune: 3 s that a finished study need not pay

    storage = study.directory / ".ray"
    shutil.rmtree(storage, ignore_errors=True)
    try:
        drive(study, workplace, cpu=study.spec.resources.cpu, gpu=gpu, storage=str(storage), tick=heart.beat)
    finally:
        study.let_go(study.stopping or "the driver stopped")
        shutil.rmtree(storage, ignore_errors=True)


def placement(spec: StudySpec, available: Mapping[str, float]) -> tuple[float, int]:
    """The GPUs that each trial takes, and how many trials fit at once. Raises InputMistake when not even one does.

    available: {"CPU": n, "GPU": n} of the machine or cluster.
    """
    cpus, gpus = available["CPU"], available["GPU"]
    wanted = spec.resources
    gpu = (1.0 if gpus >= 1 else 0.0) if wanted.gpu == "auto" else float(wanted.gpu)
    if gpu > gpus:
        raise InputMistake(
            f"{spec.study}: resources.gpu: must be at most the {gpus:g} GPUs there are, but got {gpu:g}; "
            "add --set resources.gpu=0 to train on the CPU, or --smoke to try the wiring"
        )
    if wanted.cpu > cpus:
        raise InputMistake(
            f"{spec.study}: resources.cpu: must be at most the {cpus:g} CPU cores there are, "
            f"but got {wanted.cpu:g}; add --set resources.cpu={cpus:g}"
        )
    fits = int(cpus / wanted.cpu)
    if gpu > 0:
        fits = min(fits, int(gpus / gpu + 1e-9))  # 0.1 goes into 0.3 three times
    return gpu, max(1, fits if wanted.concurrent == "auto" else min(fits, wanted.concurrent))
