"""Leaves a lease, starts a second driver, lets studies share a machine, stops the server of a ledger."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator

from benchmarks.fault import audit
from benchmarks.fault.scene import Scene
from benchmarks.fault.stage import TWO_AT_A_TIME, Impossible, Stage
from tests.harness.postgresql import PostgreSQL, postgresql_programs


def stale_lock(stage: Stage) -> None:
    """Leaves the lease of a dead driver: taken over with a message, here at once, on another host after its silence."""
    like, scene, snapshots = stage.references.of(TWO_AT_A_TIME), stage.scene(), []
    for host, silence in ((None, 0.0), ("elsewhere", 3600.0), ("elsewhere", 0.0)):
        session = scene.start()
        scene.wait_for_epochs(stage.rng.randint(2, 4), session)
        session.kill()
        snapshots.append(audit.snapshot(scene))
        stage.caused += 1
        if host is not None:
            _holder_elsewhere(scene, host, silence)
        if host is not None and silence == 0.0:  # it may still live: nobody can tell from here
            refused = scene.finish()
            stage.expect(refused.process.returncode == 2, f"a living lease's study must be left alone: {refused.said}")
            stage.expect("is run by" in refused.said and host in refused.said, "it must name who holds the study")
            _holder_elsewhere(scene, host, 3600.0)
    stage.finish(scene)
    taken = [session.said for session in scene.sessions if "is gone; going on from its ledger" in session.said]
    stage.expect(
        len(taken) == stage.caused, f"{stage.caused} locks were left, and {len(taken)} were said to be taken over"
    )
    stage.judge(scene, snapshots, like=like)


def second_driver(stage: Stage) -> None:
    """Starts the same study again and again while it runs: each is refused and names the first, which goes on."""
    like, scene = stage.references.of(TWO_AT_A_TIME), stage.scene(space={"seconds": 0.4})
    session = scene.start()
    scene.wait_for_epochs(1, session)
    others = [scene.start() for _ in range(3)]
    for other in others:
        stage.ended(other, 2)
        stage.expect(f"process {session.process.pid} " in other.said, f"it must name the driver: {other.said}")
        stage.caused += 1
    stage.ended(session)
    stage.finish(scene)
    stage.judge(scene, like=like)


def three_studies(stage: Stage) -> None:
    """Begins two new studies of one home and one of another at once; they share the machine; one driver dies."""
    like, first = stage.references.of(TWO_AT_A_TIME), stage.scene()
    scenes = [first, stage.scene(home=first.home, name="other"), stage.scene()]
    one, *others = [scene.start() for scene in scenes]
    first.wait_for_epochs(stage.rng.randint(2, 5), one)
    one.kill()
    stage.caused = 1
    snapshots = [audit.snapshot(first)]
    stage.finish(first)
    for session in others:
        stage.ended(session)
    stage.judge(first, snapshots, like=like)
    for scene in scenes[1:]:
        stage.judge(scene, like=like)


def postgresql(stage: Stage) -> None:
    """Stops the server of the team's ledger at once and starts it again; a driver dies, too."""
    programs = postgresql_programs()
    if programs is None:
        raise Impossible("no PostgreSQL server or no psycopg2")
    like, scene, snapshots = stage.references.of(TWO_AT_A_TIME), stage.scene(space={"seconds": 0.4}), []
    with _server(PostgreSQL(programs)) as server:
        scene.ledger = scene.environment["NIGHTSWEEP_LEDGER"] = server.url
        session = scene.start()
        for dies in (False, True, False):
            scene.wait_for_epochs(stage.rng.randint(3, 6), session)
            server.stop()
            stage.caused += 1
            if dies:
                session.kill()
            time.sleep(stage.rng.uniform(0.5, 3.0))
            server.start()
            if dies:
                snapshots.append(audit.snapshot(scene))
                session = scene.start()
        stage.ended(session)
        stage.finish(scene)
        stage.judge(scene, snapshots, like=like)


@contextlib.contextmanager
def _server(server: PostgreSQL) -> Iterator[PostgreSQL]:
    try:
        yield server
    finally:
        server.remove()


def _holder_elsewhere(scene: Scene, host: str, silence: float) -> None:
    """Lets the dead driver's lease be that of another machine, silent for so many seconds."""
    with contextlib.closing(sqlite3.connect(scene.ledger)) as connection, connection:
        held = "id = (SELECT session_id FROM studies)"
        beat = time.time() - silence
        connection.execute(
            f"UPDATE sessions SET host = ?, beat = ?, started = min(started, ?) WHERE {held}", (host, beat, beat)
        )
