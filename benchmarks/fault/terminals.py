"""Closes the terminal, or takes away whoever reads what is printed; types a Ctrl-C at a bad time."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from benchmarks.fault.audit import trials_in
from benchmarks.fault.scene import EPOCHS, Scene, Session
from benchmarks.fault.stage import SMALL, Stage

ONE_AFTER_ANOTHER = {"budget": {"trials": 2}, "resources": {"gpu": 0, "cpu": 1, "concurrent": 1}}


def closed(stage: Stage) -> None:
    """Closes the terminal: its study goes on or pauses, but no trial is left running in it."""
    like, scene = stage.references.of(SMALL), stage.scene(**SMALL)
    session = scene.start()
    scene.wait_for_epochs(3, session)
    os.killpg(session.process.pid, signal.SIGHUP)
    stage.caused = 1
    session.ended()
    running = [trial.number for trial in trials_in(scene) if trial.state == "running"]
    stage.expect(not running, f"no trial must be left running, but {running} are")
    stage.finish(scene)
    stage.judge(scene, like=like)


def stopped_in_the_last_epoch(stage: Stage) -> None:
    """Types Ctrl-C in the last epoch of a trial without checkpoints: it is completed, and not trained again."""
    scene = stage.scene(space={"checkpoint": False, "seconds": 1.0}, **ONE_AFTER_ANOTHER)
    session = scene.start()
    scene.wait_for(lambda: any(line.epoch == EPOCHS for line in scene.begun()), "last epoch", session)
    session.process.send_signal(signal.SIGINT)
    stage.caused = 1
    stage.ended(session, 130)
    states = [(trial.state, trial.epochs) for trial in trials_in(scene)]
    stage.expect(states == [("completed", EPOCHS)], f"the trial must be completed, but the trials are {states}")
    stage.finish(scene)
    stage.judge(scene)


def unread(stage: Stage) -> None:
    """Lets nobody read what is printed (`| head -1`), or leaves no room for it: the study goes on."""
    like = stage.references.of(SMALL)
    for reader in ("head -1", "cat > /dev/full"):
        scene = stage.scene(**SMALL)
        stage.ended(_piped(scene, reader))
        stage.caused += 1
        stage.judge(scene, like=like)


def _piped(scene: Scene, reader: str) -> Session:
    """Runs `tune run ... | reader`, with the exit status of `tune`."""
    nowhere = subprocess.DEVNULL
    command = ["sh", "-c", reader]
    return scene.start(pipe=subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere))


def fresh_killed(stage: Stage) -> None:
    """Kills `--fresh` again and again while it moves the old study aside: nothing of that study is lost."""
    like, scene = stage.references.of(SMALL), stage.scene(**SMALL)
    stage.finish(scene)
    before = _files(scene.home)
    for _ in range(4):
        session = scene.start("--fresh")
        stage.expect(not _over_within(session, stage.rng.uniform(0.8, 3.0)), f"it must start: {session.said}")
        session.kill()
        stage.caused += 1
    scene.diary.unlink()  # of a study that is another one by now
    stage.finish(scene, "--fresh")
    after = _files(scene.home)
    stage.expect(before <= after, f"every report and checkpoint must be kept, but {sorted(before - after)[:3]} are not")
    stage.judge(scene, like=like)


def _over_within(session: Session, seconds: float) -> bool:
    try:
        session.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _files(home: Path) -> set[str]:
    """Returns the logs and checkpoints of all studies, by what they hold."""
    return {file.read_text(errors="replace") for file in home.glob("*/trials/*/log.txt")}
