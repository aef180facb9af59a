"""Measures the machine for the doctor; Ray, torch and MLflow in a subprocess, so that a broken one is an answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil


def ask_torch() -> dict[str, Any]:
    """Returns {"torch", "cuda", "available", "fault", "cards": [{"name", "free", "total" in bytes}]}, or {"error"}."""
    return ask(_TORCH, 120)


def ask_ray() -> dict[str, Any]:
    """Returns {"seconds" until a first task had run, "cpus"} of this machine's Ray, or {"error"}."""
    return ask(_RAY, 120, json.dumps(sys.path))


def ask_mlflow(uri: str) -> dict[str, Any]:
    """Returns {"seconds" until the store at the address answered}, or {"error"}; no retries."""
    return ask(_MLFLOW, 60, environment={"MLFLOW_TRACKING_URI": uri})  # every user can read a command line


def ask(program: str, timeout: float, *arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Returns the JSON that a program prints as its last line; {"error": one line} if it does not get there."""
    command = [sys.executable, "-c", program, *arguments]
    with tempfile.TemporaryDirectory() as folder:  # so that no file of the current folder shadows a library
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                cwd=folder,
                env=os.environ | (environment or {}),
            )
        except subprocess.TimeoutExpired:
            return {"error": f"no answer within {timeout:g} s"}
    with suppress(ValueError, IndexError):
        answer = json.loads(done.stdout.splitlines()[-1])
        if isinstance(answer, dict):
            return answer
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return {"error": lines[-1][:300] if lines else f"exit code {done.returncode}"}


def nvidia_smi() -> list[dict[str, str]] | None:
    """Returns name and driver of each card that the driver knows; None without a working nvidia-smi."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return [
        dict(zip(("name", "driver"), map(str.strip, line.split(",")), strict=False))
        for line in done.stdout.splitlines()
        if "," in line
    ]


def nearest_existing(path: Path) -> Path:
    """Returns the path itself, or its closest ancestor that exists."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())


def filesystem(place: Path) -> str:
    """Returns the type of the file system that holds the path, such as ext4 or nfs4; "" if unknown."""
    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    return next((mounts[str(p)] for p in (place.resolve(), *place.resolve().parents) if str(p) in mounts), "")


_TORCH = """
import json
import torch
report = {"torch": torch.__version__, "cuda": torch.version.cuda, "available": False, "fault": None, "cards": []}
try:
    report["available"] = torch.cuda.is_available()
    for index in range(torch.cuda.device_count() if report["available"] else 0):
        (torch.ones(8, device=f"cuda:{index}") + 1).sum().item()  # a card too old for this build fails only here
        free, total = torch.cuda.mem_get_info(index)
        report["cards"].append({"name": torch.cuda.get_device_name(index), "free": free, "total": total})
except Exception as error:
    report["fault"] = str(error).splitlines()[0]
print(json.dumps(report))
"""

# On the cluster that studies use: it listens on 127.0.0.1 alone, which one of ray.init(address="local") does not.
_RAY = """
import json, logging, os, sys, time
start = time.monotonic()
try:
    sys.path[:] = json.loads(sys.argv[1])
    from orchestrator.cluster.local_cluster import use_cluster
    os.environ["RAY_AUTH_MODE"] = "token"
    with use_cluster(os.environ) as cluster:
        import ray
        ray._private.ray_constants.ENABLE_RAY_CLUSTER = False
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.CRITICAL, configure_logging=False)
        assert ray.get(ray.remote(num_cpus=0)(lambda: 42).remote(), timeout=90) == 42
        report = {"seconds": time.monotonic() - start, "cpus": ray.cluster_resources().get("CPU", 0)}
        ray.shutdown()
except Exception as error:
    report = {"error": (str(error).splitlines() or [type(error).__name__])[0]}
print(json.dumps(report))
"""

_MLFLOW = """
import json, os, time
os.environ.update(MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", MLFLOW_HTTP_REQUEST_TIMEOUT="5")
start = time.monotonic()
try:
    from mlflow import MlflowClient
    MlflowClient().search_experiments(max_results=1)
    report = {"seconds": time.monotonic() - start}
except Exception as error:
    report = {"error": (str(error).splitlines() or [type(error).__name__])[0][:300]}
print(json.dumps(report))
"""
