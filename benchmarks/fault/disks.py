"""Fills a disk for a while; sets a quota for checkpoints."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.fault import audit
from benchmarks.fault.audit import trials_in
from benchmarks.fault.scene import Scene, Session
from benchmarks.fault.stage import TWO_AT_A_TIME, Impossible, Stage
from tests.harness import disks

DISK_MB = 32  # for MLflow's store, the ledger, logs and checkpoints of a small study
QUOTA = 1500  # bytes: a dozen of the toy's checkpoints


def full(stage: Stage) -> None:
    """Fills the disk of the home: trials pause, nothing breaks, and they go on when there is room."""
    like, scene = stage.references.of(TWO_AT_A_TIME), stage.scene()
    with _disk(scene.home):
        session = scene.start()
        for _ in range(2):
            scene.wait_for_epochs(stage.rng.randint(2, 4), session)
            with _filled(scene.home):
                stage.caused += 1
                _wait_until_nothing_begins(scene, session)
        stage.ended(session)
        stage.expect("is full" in session.said or "no room" in session.said, "it must say that the disk is full")
        stage.finish(scene)
        stage.judge(scene, like=like)


def full_and_killed(stage: Stage) -> None:
    """Fills the disk and kills the driver; another one starts before there is room."""
    like, scene, snapshots = stage.references.of(TWO_AT_A_TIME), stage.scene(), []
    with _disk(scene.home):
        for _ in range(2):
            session = scene.start()
            scene.wait_for_epochs(stage.rng.randint(2, 4), session)
            with _filled(scene.home):
                stage.caused += 1
                time.sleep(stage.rng.uniform(0.0, 2.0))
                session.kill()
                snapshots.append(audit.snapshot(scene))
                session = scene.start()
                time.sleep(stage.rng.uniform(5.0, 15.0))
            if not session.over:
                session.kill()
                snapshots.append(audit.snapshot(scene))
        stage.finish(scene)
        stage.judge(scene, snapshots, like=like)


def quota(stage: Stage) -> None:
    """Kills drivers under a quota: checkpoints take no more than they may; the best stays, and is whole."""
    like = stage.references.of(TWO_AT_A_TIME)
    scene, snapshots = stage.scene(checkpoints={"reserve_gb": 0.001, "quota_gb": QUOTA / 1e9}), []
    for _ in range(3):
        session = scene.start()
        scene.wait_for_epochs(stage.rng.randint(4, 9), session)
        session.kill()
        stage.caused += 1
        snapshots.append(audit.snapshot(scene))
    stage.finish(scene)
    folders = list((scene.home / scene.name).glob("trials/*/checkpoint/epoch-*"))
    size = sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())
    stage.expect(size <= QUOTA, f"the checkpoints must take at most {QUOTA} bytes, but take {size}")
    best = max(trials_in(scene), key=lambda trial: max(r["val/score"] for r in trial.reports.values()))
    kept = scene.home / scene.name / "trials" / f"{best.number:04d}" / "checkpoint" / f"epoch-{best.epochs:04d}"
    state = json.loads((kept / "state.json").read_text())
    stage.expect(state["epoch"] == best.epochs, "the best checkpoint must be kept")
    stage.judge(scene, snapshots, like=like)


def _wait_until_nothing_begins(scene: Scene, session: Session) -> None:
    """Waits until no epoch has begun for two seconds."""
    begun, since = -1, time.monotonic()

    def quiet() -> bool:
        nonlocal begun, since
        if len(scene.begun()) != begun:
            begun, since = len(scene.begun()), time.monotonic()
        return time.monotonic() - since > 2.0

    scene.wait_for(quiet, "pause", session)


@contextlib.contextmanager
def _disk(place: Path) -> Iterator[None]:
    """Mounts a small disk of its own. Raises Impossible."""
    if not disks.mount(place, f"{DISK_MB}m"):
        raise Impossible("a disk can be mounted by root only")
    try:
        yield
    finally:
        disks.unmount(place)


@contextlib.contextmanager
def _filled(place: Path) -> Iterator[None]:
    """Takes all that is free, as somebody else would."""
    file = disks.fill(place)
    try:
        yield
    finally:
        file.unlink()
