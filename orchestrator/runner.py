"""Runs a study: opens it in the ledger, drives it on Ray until it is done or must stop, scores the winner.

Every start is a resume: what the ledger holds is taken as it is, whatever ended the last session.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator import provenance, scoring
from orchestrator.budget import Limits, deadline
from orchestrator.checkpoints import trial_directory
from orchestrator.home import Home
from orchestrator.job import Workplace
from orchestrator.ledger import Ledger, StudyRow, UnknownStudy
from orchestrator.mistakes import InputMistake
from orchestrator.outcome import Outcome, Status
from orchestrator.progress import Progress
from orchestrator.ray_session import call, local_resources, session
from orchestrator.study import Study
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.tracking import Tracker, default_uri
from orchestrator.trial import State
from trainables import Trainable, load_trainable

BEAT_SECONDS = 5.0
MAY_CHANGE = ("budget", "resources", "tracking", "baselines")  # between two sessions of one study


def run(
    spec: StudySpec, home: Home, progress: Progress, *, limits: Limits, address: str | None = None, file: str = ""
) -> Outcome:
    """Run `spec` until its budget is used up or the session must stop. Raises InputMistake, StudyHeld, LedgerError."""
    trainable = load_trainable(spec.trainable)
    fingerprint = _fingerprint(trainable, spec, file)
    if address is None and not _known(home, spec.study):
        placement(spec, local_resources())  # said before anything is created
    ledger = Ledger(home.ledger)
    row = _open_study(ledger, spec, fingerprint, file)
    stale = ledger.acquire(row.id, os.getpid(), socket.gethostname())
    if stale is not None:
        progress.say(
            f"{row.name}: its last driver (process {stale.pid} on {stale.host}) is gone; going on from its ledger"
        )
    if row.raw != spec.raw:
        ledger.update_study(row.id, raw=spec.raw)
    status, reason = Status.INTERRUPTED, None
    study: Study | None = None
    tracker: Tracker | None = None
    try:
        spec = _with_limits(spec, limits, ledger, row)
        study = Study(spec, trainable, ledger, row.id, home.study(row.name), concurrency=1, on_event=progress.event)
        tracker = Tracker(home.ledger, row.id, default_uri(home.path, spec.tracking.uri), home.path, warn=progress.say)
        now = time.time()
        until = limits.until or spec.budget.until
        ends = deadline(now, hours_in_all=spec.budget.hours, seconds_used=row.seconds, hours=limits.hours, until=until)
        if ends is not None and ends <= now:
            study.stop("no hours are left in the budget")
        _run_session(study, trainable, _Heart(ledger, row.id, study, progress, ends), address, progress)
        status, reason = _status(study), study.stopping
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


def _run_session(study: Study, trainable: Trainable, heart: _Heart, address: str | None, progress: Progress) -> None:
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
        )
        with _signals(study, progress):  # only now: ray.init installs a handler of its own
            progress.begin(study, heart.ends)
            if not study.finished:
                _drive(study, workplace, gpu, heart)
            if not study.stopping:
                _score(study, trainable, workplace, gpu, heart, progress)


def _score(
    study: Study, trainable: Trainable, workplace: Workplace, gpu: float, heart: _Heart, progress: Progress
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


def _drive(study: Study, workplace: Workplace, gpu: float, heart: _Heart) -> None:
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


def _facts(fingerprint: str | None, file: str) -> dict[str, Any]:
    """Where a study comes from; asked for once, because git and the GPU driver are asked too."""
    return provenance.facts() | {"data_fingerprint": fingerprint, "file": file}


def _known(home: Home, name: str) -> bool:
    """Is there a study of that name? Creates nothing."""
    return home.ledger.exists() and name in [row.name for row in Ledger(home.ledger).studies()]


def _open_study(ledger: Ledger, spec: StudySpec, fingerprint: str | None, file: str) -> StudyRow:
    """The study's row, made if it is new. Raises InputMistake if the file now asks for another study of that name."""
    try:
        row = ledger.study(spec.study)
    except UnknownStudy:
        return ledger.create_study(spec.study, spec.raw, spec.objective.objective, _facts(fingerprint, file))
    if row.objective == spec.objective.objective and not ledger.trials(row.id, reports=False):
        ledger.update_study(row.id, facts=_facts(fingerprint, file))  # no trial hangs on what it was begun with
        return row
    changed = [key for key in sorted(row.raw.keys() | spec.raw.keys()) if row.raw.get(key) != spec.raw.get(key)]
    forbidden = [key for key in changed if key not in MAY_CHANGE]
    if forbidden:
        raise InputMistake(
            *(
                f"{file or spec.study}: {key}: must be what study {row.name!r} was begun with, but differs; "
                "give the changed study another --name, or move the old one aside with --fresh"
                for key in forbidden
            )
        )
    if fingerprint != row.facts.get("data_fingerprint"):
        raise InputMistake(
            f"{file or spec.study}: data: must be what study {row.name!r} was begun with, so that trials compare, "
            f"but the fingerprint was {row.facts.get('data_fingerprint')} and is {fingerprint}; "
            "restore them, or begin anew with --fresh or another --name"
        )
    return row


def move_aside(home: Home, name: str) -> str | None:
    """Rename the study and its folder, so that a new one can take its name; the new name, or None without such a study.

    Raises StudyHeld while a driver runs it.
    """
    if not home.ledger.exists():
        return None
    ledger = Ledger(home.ledger)
    try:
        row = ledger.study(name)
    except UnknownStudy:
        return None
    ledger.acquire(row.id, os.getpid(), socket.gethostname())
    ledger.release(row.id, Status(row.status), row.reason)
    taken = {other.name for other in ledger.studies()}
    new = next(f"{name}.{n}" for n in range(1, len(taken) + 2) if f"{name}.{n}" not in taken)
    if home.study(name).exists():
        home.study(name).rename(home.study(new))
    ledger.rename_study(name, new)
    return new


def _fingerprint(trainable: Trainable, spec: StudySpec, file: str) -> str | None:
    """Changes when the data do. Raises InputMistake where they cannot be read."""
    try:
        return None if trainable.fingerprint is None else trainable.fingerprint(spec.data)
    except (ValueError, OSError) as error:
        raise InputMistake(*(f"{file or spec.study}: {line}" for line in str(error).splitlines())) from error


def _with_limits(spec: StudySpec, limits: Limits, ledger: Ledger, row: StudyRow) -> StudySpec:
    """The spec with this session's number of trials.

    `+N` is kept in the ledger until it is reached, so that the same command after an interruption goes on to the same
    number instead of adding N again.
    """
    extension = row.facts.get("extension")
    if limits.trials is not None:
        trials: int | None = limits.trials
    elif limits.more_trials is not None and (extension is None or extension["more"] != limits.more_trials):
        existing = len(ledger.trials(row.id, reports=False))
        # A study cut short is first owed what its file asks for.
        owed = existing if row.status == Status.FINISHED else max(existing, spec.budget.trials or 0)
        trials = owed + limits.more_trials
        ledger.update_study(row.id, facts=row.facts | {"extension": {"more": limits.more_trials, "trials": trials}})
    elif extension is not None:
        trials = extension["trials"]
    else:
        return spec
    return spec.model_copy(update={"budget": spec.budget.model_copy(update={"trials": trials})})


def _status(study: Study) -> Status:
    if study.stopping:
        return Status.INTERRUPTED if study.stopping == INTERRUPTED else Status.PAUSED
    done = any(trial.state in (State.COMPLETED, State.PRUNED) for trial in study.trials)
    return Status.FINISHED if done else Status.FAILED


INTERRUPTED = "interrupted"


class _Heart:
    """Called several times a second: shows progress, keeps the lock alive, ends the session at its deadline."""

    def __init__(self, ledger: Ledger, study_id: int, study: Study, progress: Progress, ends: float | None) -> None:
        self.ends = ends
        self._ledger, self._id, self._study, self._progress = ledger, study_id, study, progress
        self._beat = time.monotonic()

    def beat(self) -> None:
        self._progress.tick()
        if self.ends is not None and time.time() >= self.ends and not self._study.stopping:
            self._study.stop("the deadline came")
            self._progress.say("the deadline came: running trials pause at their next report")
        if time.monotonic() - self._beat >= BEAT_SECONDS:
            self._beat = time.monotonic()
            self._ledger.beat(self._id)


@contextmanager
def _signals(study: Study, progress: Progress) -> Iterator[None]:
    """First Ctrl-C (or SIGTERM): trials pause at their next report. Second: stop now."""

    def handle(number: int, frame: Any) -> None:
        if study.stopping == INTERRUPTED:
            raise KeyboardInterrupt
        study.stop(INTERRUPTED)
        progress.say("stopping: running trials pause at their next report; Ctrl-C again stops now")

    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, handle) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
