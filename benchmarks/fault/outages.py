"""Takes MLflow away, lets it answer 500 or not at all, locks its database; the study goes on all the same."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from benchmarks.fault import audit
from benchmarks.fault.scene import Scene
from benchmarks.fault.stage import TWO_AT_A_TIME, Stage
from orchestrator.tracking.mlflow_client import connect
from orchestrator.tracking.store import QUIET, artifacts
from tests.harness.free_port import free_port
from tests.harness.mlflow_server import FaultyProxy, locked, until_killed

LONGER = {"seconds": 0.4}  # an epoch, so that the study outlives the fault


def away(stage: Stage) -> None:
    """Runs without a server to the end, and a driver dies meanwhile; `tune sync` makes good for it."""
    like, scene, port = stage.references.of(TWO_AT_A_TIME), stage.scene(), _use_server(stage.scenes[-1])
    session = scene.start()
    scene.wait_for_epochs(5, session)
    session.kill()
    snapshots = [audit.snapshot(scene)]
    session = scene.start()
    stage.ended(session)
    stage.expect("send it with: tune sync" in session.said, "it must say what to type")
    stage.caused = 1
    with _server(scene, port):
        stage.ended(scene.tune("sync", scene.name))
    stage.judge(scene, snapshots, like=like)


def killed(stage: Stage) -> None:
    """Kills the server in mid-study, and the driver; both are started again, the driver first."""
    like, scene = stage.references.of(TWO_AT_A_TIME), stage.scene(space=LONGER)
    port, snapshots = _use_server(scene), []
    with _server(scene, port):
        session = scene.start()
        scene.wait_for_epochs(stage.rng.randint(6, 12), session)
    stage.caused = 1
    scene.wait_for_epochs(3, session)
    session.kill()
    snapshots.append(audit.snapshot(scene))
    session = scene.start()
    scene.wait_for_epochs(2, session)
    with _server(scene, port):
        stage.ended(session)
        stage.finish(scene)
    stage.judge(scene, snapshots, like=like)


def unreliable(stage: Stage) -> None:
    """Answers one request in eight by 500, carries out one in eight and loses its answer; in the end none."""
    like, scene = stage.references.of(TWO_AT_A_TIME), stage.scene(space={"seconds": 1.0})
    snapshots = []

    def does(method: str, path: str) -> str:
        [way] = stage.rng.choices(["pass", "500", "lose"], [6, 1, 1])
        stage.caused += way != "pass"
        return way

    with _server(scene, free_port()) as server:
        proxy = FaultyProxy(server)
        scene.environment["MLFLOW_TRACKING_URI"] = proxy.address
        proxy.does = does
        session = scene.start()
        scene.wait_for_epochs(stage.rng.randint(12, 16), session)
        session.kill()
        snapshots.append(audit.snapshot(scene))
        session = scene.start()
        scene.wait_for_epochs(8, session)
        proxy.does = lambda method, path: "pass"
        stage.ended(session)
        stage.finish(scene)
        proxy.close()
    stage.judge(scene, snapshots, like=like)


def database_locked(stage: Stage) -> None:
    """Keeps MLflow's embedded database to another process for a while, twice; once the driver dies meanwhile."""
    like, scene, snapshots = stage.references.of(TWO_AT_A_TIME), stage.scene(space={"seconds": 1.0}), []
    scene.home.mkdir()
    connect(f"sqlite:///{scene.mlflow}")  # makes its tables, which takes longer than the study
    session = scene.start()
    for dies in (True, False):
        scene.wait_for(lambda: audit.points_in(scene) > 0, "points in MLflow", session)
        with locked(f"sqlite:///{scene.mlflow}"):
            stage.caused += 1
            scene.wait_for_epochs(3, session)
            if dies:
                session.kill()
                snapshots.append(audit.snapshot(scene))
                session = scene.start()
                scene.wait_for_epochs(2, session)
    stage.ended(session)
    stage.finish(scene)
    stage.judge(scene, snapshots, like=like)


def _use_server(scene: Scene) -> int:
    """Returns the port at which the scene's sessions look for MLflow."""
    port = free_port()
    scene.environment["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{port}"
    return port


@contextlib.contextmanager
def _server(scene: Scene, port: int) -> Iterator[str]:
    """Runs `mlflow server` until SIGKILL, over the file of the scene's MLflow, so that it can be read."""
    scene.home.mkdir(exist_ok=True)
    words = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--artifacts-destination", artifacts(scene.home)]
    store = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{scene.mlflow}", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [sys.executable, "-m", "mlflow", "server", *words]
    with until_killed(command, scene.folder / "mlflow.txt", port, **QUIET, **store):
        yield f"http://127.0.0.1:{port}"
