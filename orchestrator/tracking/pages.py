"""Serves MLflow's pages on a home's store, and names the page of a study."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from orchestrator.ledger import Ledger, StudyRow
from orchestrator.secret import mask
from orchestrator.tracking.best_so_far import best_name
from orchestrator.tracking.relocation import bring_home
from orchestrator.tracking.store import QUIET, TrackingError, address, artifacts, is_database

# MLflow's other menu is that for language models.
_TRAINING = "workflowType=machine_learning"


def study_pages(base: str, row: StudyRow) -> list[str]:
    """Returns the addresses of a study's pages below that of the server: its own run, and its trials, best first.

    base: such as http://127.0.0.1:5000. Raises TrackingError where MLflow has never been told of the study.
    """
    if row.mlflow_experiment_id is None or row.mlflow_run_id is None:
        raise TrackingError(f"{row.name}: must be in MLflow, but is not yet; type: tune sync {row.name}")
    experiment = f"{base.rstrip('/')}/#/experiments/{row.mlflow_experiment_id}"
    order = quote(f"metrics.`{best_name(row.objective)}`", safe="")
    ascending = "true" if row.objective.mode == "min" else "false"
    return [
        f"{experiment}/runs/{row.mlflow_run_id}?{_TRAINING}",
        f"{experiment}/runs?{_TRAINING}&orderByKey={order}&orderByAsc={ascending}",
    ]


def serve_ui(uri: str, home: Path, port: int, ledger: Ledger | None = None, study: StudyRow | None = None) -> int:
    """Serves MLflow's pages on 127.0.0.1 until Ctrl-C; returns the exit code.

    ledger: the home's; a store that was copied with it is told where its artifacts lie now. study: whose addresses are
    printed, too. Raises TrackingError for a taken port, and for a study that MLflow does not know.
    """
    if not is_database(uri):
        print(f"{mask(uri)} is a server with pages of its own: open them there")
        _print_pages([] if study is None else study_pages(mask(uri), study))
        return 0
    base = f"http://127.0.0.1:{port}"
    pages = [] if study is None else study_pages(base, study)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            other = port + 1 if port < 65535 else 5000
            raise TrackingError(
                f"--port: must be free, but {port} is not ({error.strerror}); try --port {other}"
            ) from None
    if ledger is not None:
        bring_home(uri, home, (row.uid for row in ledger.studies()))
    words = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--allowed-hosts", f"127.0.0.1:{port},localhost:{port}"]  # No other page reaches it by another name.
    words += ["--default-artifact-root", artifacts(home), "--artifacts-destination", artifacts(home)]
    # The address is in the environment, because every user of the machine can read a command line.
    setting = QUIET | {"MLFLOW_BACKEND_STORE_URI": address(uri), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    print(f"{base}   Ctrl-C ends it", flush=True)
    _print_pages(pages)
    # With -P, no file of the current folder is imported as a module of MLflow's.
    try:
        return subprocess.call([sys.executable, "-P", "-m", "mlflow", "ui", *words], env=os.environ | setting)
    except KeyboardInterrupt:  # The way that was told to end it.
        return 0


def _print_pages(pages: Iterable[str]) -> None:
    for what, page in zip(("the study", "its trials, best first"), pages, strict=False):
        print(f"{what}: {page}", flush=True)
