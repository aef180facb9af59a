"""Collects the facts of a run: which code, on which machine, with which versions, by which command."""

from __future__ import annotations

import getpass
import os
import platform
import shlex
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from orchestrator.secret import mask, mask_arguments

PACKAGES = ("nightsweep", "torch", "torchvision", "timm", "ray", "mlflow", "optuna", "numpy")
GIT_SECONDS = 5.0  # a repository on a sleeping network disk holds up no study
GPU_SECONDS = 10.0


def facts() -> dict[str, Any]:
    """Returns what is worth knowing when the run is to be repeated. Asks other programs; imports no heavy package.

    git_commit, git_dirty: of the repository around the current folder (dirty: a tracked file differs from the commit);
    None where there is none. versions: of the installed packages. gpus: one line each, in the driver's words.
    """
    return {
        "command": command(sys.argv),
        "folder": os.getcwd(),
        "user": user(),
        "host": socket.gethostname(),
        **git(Path.cwd()),
        "python": platform.python_version(),
        "versions": versions(),
        "system": f"{platform.system()} {platform.release()}",
        "cpu": cpu(),
        "cpu_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpus": gpus(),
    }


def command(arguments: list[str]) -> str:
    """Returns the command line as one would type it again, without its secrets."""
    program = Path(arguments[0]).name if arguments else "python"
    name = "tune" if program in ("tune.py", "__main__.py") else program
    return shlex.join([name, *mask_arguments(arguments[1:])])


def git(folder: Path) -> dict[str, Any]:
    commit = _answer(GIT_SECONDS, "git", "-C", str(folder), "rev-parse", "HEAD")
    if commit is None:
        return {"git_commit": None, "git_dirty": None, "git_remote": None}
    # Without locks: another git may be at work in this folder.
    changes = _answer(
        GIT_SECONDS, "git", "--no-optional-locks", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"
    )
    remote = _answer(GIT_SECONDS, "git", "-C", str(folder), "config", "--get", "remote.origin.url")
    return {
        "git_commit": commit,
        "git_dirty": None if changes is None else changes != "",
        "git_remote": None if remote is None else mask(remote),
    }


def versions() -> dict[str, str]:
    """Returns the versions of the packages that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def cpu() -> str:
    """Returns the processor's name, else its architecture."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def gpus() -> list[str]:
    """Returns lines such as `NVIDIA H200, 143771 MiB, 550.54.15`: name, memory, driver; none without a driver."""
    answer = _answer(GPU_SECONDS, "nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    return [line.strip() for line in (answer or "").splitlines() if line.strip()]


def user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return None


def _answer(seconds: float, *words: str) -> str | None:
    """Returns what a program prints; None when it is missing, fails or takes longer."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=seconds, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
