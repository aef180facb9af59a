"""Lets a machine misbehave: it kills every worker for a while, its clock is set, another driver of it stands still."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil

from benchmarks.fault import audit
from benchmarks.fault.scene import Scene, ray_processes
from benchmarks.fault.stage import SMALL, Impossible, Stage

HOUR = 3600.0
OUTAGE_SECONDS = 15.0


def workers_die(stage: Stage) -> None:
    """Kills every worker for a while, as another program that eats the memory does, and then none any more."""
    like, scene = stage.references.of(SMALL), stage.scene(**SMALL)
    session = scene.start()
    scene.wait_for_epochs(2, session)
    until = time.monotonic() + OUTAGE_SECONDS
    while time.monotonic() < until:
        stage.caused += sum(_killed(process) for process in ray_processes())
        time.sleep(0.2)
    stage.ended(session)
    stage.expect("workers in a row were lost" in session.said, f"it must say that workers are lost: {session.said}")
    stage.judge(scene, like=like)


def clock_is_set(stage: Stage) -> None:
    """Sets the clock two hours back and kills the driver; sets it nine hours forward, under a limit of eight hours.

    Ray would start no worker for two hours after the first.
    """
    like = stage.references.of(SMALL)
    for hours, dies, words in ((-2.0, True, ()), (9.0, False, ("--hours", "8"))):
        scene = stage.scene(**SMALL)
        shift = _clock_of(scene)
        if not dies:
            scene.environment["FAULTS_CLOCK_OF"] = "tune"  # clock.c says why not Ray.
        session = scene.start(*words)
        scene.wait_for_epochs(3, session)
        shift.write_text(f"{hours * HOUR:.0f}")
        stage.caused += 1
        scene.wait_for_epochs(2, session)
        snapshots = []
        if dies:
            session.kill()
            snapshots = [audit.snapshot(scene)]
        else:
            stage.ended(session)
        stage.finish(scene, *words)
        used = audit.select(scene.ledger, "SELECT sum(seconds) FROM sessions")[0][0]
        stage.expect(used < HOUR, f"the sessions must count some seconds, but count {used:.0f}")
        scene.environment.clear()
        stage.judge(scene, snapshots, like=like)


def suspended_beside(stage: Stage) -> None:
    """Suspends a driver while it starts Ray: another study says within seconds for whom it waits."""
    like, scene = stage.references.of(SMALL), stage.scene(**SMALL)
    other = stage.scene(**SMALL)
    first = scene.start()
    scene.wait_for(lambda: "starting Ray" in first.said, "start of Ray", first)
    first.process.send_signal(signal.SIGSTOP)
    stage.caused = 1
    second = other.start()
    other.wait_for(lambda: "starting Ray" in second.said, "start of Ray", second)
    until = time.monotonic() + 12.0
    while "waiting for" not in second.said and not other.begun() and time.monotonic() < until:
        time.sleep(0.2)
    told = "waiting for" in second.said or other.begun()
    stage.expect(told, f"it must go on, or say for whom it waits: {second.said}")
    first.process.send_signal(signal.SIGCONT)
    for each, session in ((scene, first), (other, second)):
        stage.ended(session)
        stage.judge(each, like=like)


def _killed(process: psutil.Process) -> bool:
    """Kills a worker; leaves the cluster's own processes alone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        words = process.cmdline() or [""]
        starting = any(word.endswith("default_worker.py") for word in words[:4])
        if starting or words[0].startswith(("ray::Worker", "ray::IDLE", "ray::ResourceTrainable")):
            process.kill()
            return True
    return False


def _clock_of(scene: Scene) -> Path:
    """Lets the wall clock of the scene's commands be off by the seconds that the file says, 0 at first.

    Raises Impossible.
    """
    compiler, library, file = shutil.which("cc"), scene.folder / "clock.so", scene.folder / "clock"
    if compiler is None:
        raise Impossible("no C compiler")
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    file.write_text("0")
    scene.environment |= {"LD_PRELOAD": str(library), "FAULTS_CLOCK": str(file)}
    return file
