"""Processes that die: the driver, a worker, parts of Ray, all at once; killed -9 at random instants."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable

import psutil

from benchmarks.fault import audit
from benchmarks.fault.scene import Scene, Session, hosts, kill, ray_processes
from benchmarks.fault.stage import ONE_AT_A_TIME, SMALL, TWO_AT_A_TIME, Stage, Undisturbed

LATE_SECONDS = 0.4  # after an event, at most
MOST_LOST = 2  # workers at one epoch: a trial that loses a third without a further epoch fails


def driver_one_at_a_time(stage: Stage) -> None:
    """Kills the driver again and again, and types the same command again; ASHA, one trial at a time."""
    _drivers(stage, 12, stage.references.of(ONE_AT_A_TIME), **ONE_AT_A_TIME)


def driver_two_at_a_time(stage: Stage) -> None:
    """Does the same with two trials at a time, of which none is pruned."""
    _drivers(stage, 12, stage.references.of(TWO_AT_A_TIME), **TWO_AT_A_TIME)


def everything(stage: Stage) -> None:
    """Kills the driver, Ray and all workers at one instant, as a loss of power does."""
    like = stage.references.of(TWO_AT_A_TIME)
    scene, snapshots = stage.scene(), []
    for _ in range(4):
        session = scene.start()
        _wait(session, _anytime(stage.rng, like.seconds))
        if session.over:
            break
        kill_everything(session)
        stage.caused += 1
        snapshots.append(audit.snapshot(scene))
    stage.finish(scene)
    stage.judge(scene, snapshots, like=like)


def bad_night(stage: Stage) -> None:
    """Does one thing after another to one study: the version of the test suite."""
    like, scene = stage.references.of(SMALL), stage.scene(**SMALL)
    session = scene.start()
    scene.wait_for(lambda: "starting Ray" in session.said, "start of Ray", session)
    second = scene.start()
    scene.wait_for_epochs(2, session)
    stage.expect(kill_worker(scene.begun()[-1].pid), "a worker is there to be killed")
    scene.wait_for_epochs(2, session)
    session.kill()
    stage.ended(second, 2)
    stage.expect(f"process {session.process.pid} " in second.said, "a second driver is told who the first is")
    stage.caused = 3
    snapshot = audit.snapshot(scene)
    stage.finish(scene)
    stage.expect("is gone; going on from its ledger" in scene.sessions[-1].said, "a stale lock is taken with a word")
    stage.judge(scene, [snapshot], like=like)


def workers(stage: Stage) -> None:
    """Kills a worker in the middle of an epoch, again and again, under a driver that lives.

    No epoch of a trial is hit so often that the trial has to fail: that is what `worker dies each time` does.
    """
    like, scene = stage.references.of(TWO_AT_A_TIME), stage.scene()
    session = scene.start()
    hit: Counter[tuple[float, int]] = Counter()  # by the trial's lr and the epoch
    for _ in range(8):
        scene.wait_for_epochs(stage.rng.randint(2, 4), session)
        time.sleep(stage.rng.uniform(0.0, 0.15))
        while hit[(last := scene.begun()[-1]).lr, last.epoch] >= MOST_LOST:
            scene.wait_for_epochs(1, session)
        killed = kill_worker(last.pid)
        hit[last.lr, last.epoch] += killed
        stage.caused += killed
    stage.ended(session)
    stage.judge(scene, like=like)


def parts_of_ray(stage: Stage) -> None:
    """Kills the raylet, the GCS and the process that owns them, one after another, under a driver that lives."""
    like, scene = stage.references.of(TWO_AT_A_TIME), stage.scene()
    session = scene.start()
    for part in ("raylet", "gcs_server", "host"):
        scene.wait_for_epochs(stage.rng.randint(2, 4), session)
        time.sleep(stage.rng.uniform(0.0, LATE_SECONDS))
        found = hosts() if part == "host" else ray_processes(part)
        stage.expect(found, f"a {part} must be there to be killed")
        kill(found)
        stage.caused += 1
    stage.ended(session)
    stage.judge(scene, like=like)


def _drivers(stage: Stage, kills: int, like: Undisturbed, **sections: object) -> None:
    """Runs study after study, until the driver has died so often."""
    while stage.caused < kills:
        scene, snapshots = stage.scene(**sections), []
        for instant in _instants(stage.rng, scene, like)[: kills - stage.caused]:
            session = scene.start()
            _wait(session, instant)
            if not session.over:
                session.kill()
                stage.caused += 1
                snapshots.append(audit.snapshot(scene))
        stage.finish(scene)
        stage.judge(scene, snapshots, ends=("completed", "pruned"), like=like)


def _instants(rng: random.Random, scene: Scene, like: Undisturbed) -> list[Callable[[], bool]]:
    """Chooses when the sessions of a study are killed: while the first makes its tables, at any time, in the middle of
    epochs, and when all epochs have begun: while the winner is scored, MLflow catches up, the report is written."""
    epochs = sum(epochs for _, epochs, _ in like.result.values())

    def after(event: Callable[[], bool], late: float) -> Callable[[], bool]:
        happened: list[float] = []

        def now() -> bool:
            if not happened and event():
                happened.append(time.monotonic() + rng.uniform(0.0, late))
            return bool(happened) and time.monotonic() >= happened[0]

        return now

    def trained() -> bool:
        return len({(line.lr, line.epoch) for line in scene.begun()}) >= epochs

    def further(count: int) -> Callable[[], bool]:
        before: list[int] = []

        def now() -> bool:
            begun = len(scene.begun())
            before.append(begun)
            return begun >= before[0] + count

        return now

    first = scene.ledger.exists if rng.random() < 0.5 else lambda: any(scene.home.glob("*mlflow.db*"))
    middle = [after(further(rng.randint(1, 4)), LATE_SECONDS) for _ in range(2)]
    anytime = [_anytime(rng, like.seconds)]
    rng.shuffle(either := [*middle, *anytime])
    return [after(first, 2.0), *either, after(trained, 4.0)]


def _anytime(rng: random.Random, seconds: float) -> Callable[[], bool]:
    """Draws an instant within as many seconds as an undisturbed session takes, counted from when it is first asked."""
    until: list[float] = []

    def now() -> bool:
        if not until:
            until.append(time.monotonic() + rng.uniform(0.0, seconds))
        return time.monotonic() >= until[0]

    return now


def _wait(session: Session, instant: Callable[[], bool]) -> None:
    """Waits until the instant, or the end of the session."""
    while not session.over and not instant():
        time.sleep(0.01)


def kill_everything(session: Session) -> None:
    kill([psutil.Process(session.process.pid), *hosts(), *ray_processes()])
    session.process.wait()


def kill_worker(pid: int) -> bool:
    """Returns whether it did; not if it has ended already, or its number is another process's now."""
    try:
        worker = psutil.Process(pid)
        if not any("trial_main" in word for word in worker.cmdline()):
            return False
        worker.kill()
        return True
    except psutil.NoSuchProcess:
        return False
