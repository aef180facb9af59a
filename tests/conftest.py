"""Prepares what every test needs: an offline, single-threaded environment, the toy's study file, and the data."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml

pytest.register_assert_rewrite("tests.harness")  # Before its first import, or its asserts would not show their values.

from tests.harness.folders import DATA, REPOSITORY  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")

# This must come before anything imports numpy, torch, Ray or MLflow. Ray's workers find `tests.toy` through PYTHONPATH.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.update(
    HF_HUB_OFFLINE="1",
    MLFLOW_DISABLE_TELEMETRY="true",
    RAY_USAGE_STATS_ENABLED="0",
    PYTHONPATH=os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])),
)
for _name in ("HOME", "LEDGER", "NOTIFY"):
    os.environ.pop(f"NIGHTSWEEP_{_name}", None)
for _name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "RAY_ADDRESS"):
    os.environ.pop(_name, None)

hypothesis.settings.register_profile("any machine", deadline=None)  # On a busy one an example may take seconds.
hypothesis.settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the tests whose marks name something that this machine lacks; the reason says what to do."""
    missing = {}
    if not DATA.is_dir():
        missing["data"] = f"no data in {DATA}; set NIGHTSWEEP_DATA"
    if _browser() is None:
        missing["browser"] = "no Chromium on PATH; install the package `chromium`"
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        missing["gpu"] = "no CUDA device"
    for item in items:
        for mark in missing.keys() & {mark.name for mark in item.iter_markers()}:
            item.add_marker(pytest.mark.skip(reason=missing[mark]))


def _browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session", autouse=True)
def _a_ray_of_its_own() -> Iterator[None]:
    """Gives the tests a Ray cluster apart from that of the studies that the user runs, and ends it with them."""
    with _ray_folder() as folder:
        os.environ["RAY_TMPDIR"] = str(folder)
        yield


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """Returns a folder for RAY_TMPDIR; a cluster started there belongs to this test alone."""
    with _ray_folder() as folder:
        yield folder


@contextmanager
def _ray_folder() -> Iterator[Path]:
    root = Path(
        tempfile.mkdtemp(prefix="ns-", dir="/tmp")
    )  # The path must be short, because the paths of sockets may not be long.
    yield root
    until = time.monotonic() + 30
    for cluster in root.glob("nightsweep-*/*/cluster.json"):
        with suppress(FileNotFoundError, ProcessLookupError):  # It has just ended by itself.
            os.kill(json.loads(cluster.read_text())["pid"], signal.SIGTERM)
        while cluster.parent.exists() and time.monotonic() < until:
            time.sleep(0.1)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns an empty home of the test's own, which NIGHTSWEEP_HOME names for the command."""
    path = tmp_path / "runs"
    path.mkdir()
    monkeypatch.setenv("NIGHTSWEEP_HOME", str(path))
    return path


@pytest.fixture
def data_root() -> Path:
    """Returns the folder with one folder for each real data set; skips the test where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"no data in {DATA}; set NIGHTSWEEP_DATA")
    return DATA


@pytest.fixture
def browser() -> str:
    """Returns the path of Chromium; skips the test where there is none."""
    path = _browser()
    if path is None:
        pytest.skip("no Chromium on PATH; install the package `chromium`")
    return path


@pytest.fixture
def toy_study(tmp_path: Path) -> Callable[..., Path]:
    """Returns a function that writes a study file of the toy: `toy_study(space={"epochs": 4}, budget={"trials": 3})`.

    It returns the path of the file. A section given replaces the default one; `space` is added to the range of `lr`.
    """

    def write(name: str = "toy", space: dict[str, Any] | None = None, **sections: Any) -> Path:
        document = {
            "study": name,
            "trainable": "tests.toy",
            "objective": {"metric": "val/score", "mode": "max"},
            "space": {"lr": {"low": 1e-4, "high": 1.0, "log": True}} | (space or {}),
            "budget": {"trials": 4},
            # One worker: each costs seconds of CPU to start, and a test that needs several says so.
            "resources": {"gpu": 0, "cpu": 1, "concurrent": 1},
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(document | sections, sort_keys=False))
        return path

    return write
