"""Finds what on this machine would stop a study, and what to type against it: `tune doctor`.

Each check judges what probe.py measured. A check that cannot be made is a finding, never a traceback.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import sqlite3
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.version import Version

from orchestrator.machine.probe import ask_mlflow, ask_ray, ask_torch, filesystem, nearest_existing, nvidia_smi
from orchestrator.secret import mask

GB = 1e9
OUR_SCRIPT = "from tune import main"  # what pip and uv write into our script
NETWORK_FILESYSTEMS = ("nfs", "cifs", "smb", "fuse.sshfs", "lustre", "beegfs", "gpfs", "9p", "ceph", "glusterfs")


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"  # studies run, but something will hurt
    PROBLEM = "problem"  # studies cannot run, or lose work


@dataclass(frozen=True, slots=True)
class Finding:
    """Holds one result. `remedy` says what to type; None when all is well."""

    check: str
    level: Level
    detail: str
    remedy: str | None = None


def _ok(check: str, detail: str) -> Finding:
    return Finding(check, Level.OK, detail)


def _warning(check: str, detail: str, remedy: str) -> Finding:
    return Finding(check, Level.WARNING, detail, remedy)


def _problem(check: str, detail: str, remedy: str) -> Finding:
    return Finding(check, Level.PROBLEM, detail, remedy)


def examine(home: Path) -> Iterator[Finding]:
    """Yields what every check found as soon as it is known, in the order to read them.

    Changes nothing in `home`. Takes about 10 s, most of them Ray's start.
    """
    checks: dict[str, Callable[[], Finding]] = {
        "python": check_python,
        "packages": check_packages,
        "command": lambda: check_command(shutil.which("tune"), _own_script()),
        "gpu": lambda: check_gpu(ask_torch(), nvidia_smi()),
        "ray": lambda: check_ray(ask_ray()),
        "mlflow": lambda: check_mlflow(home, os.environ),
        "home": lambda: check_home(home),
        "ray's files": lambda: check_temporary_space(Path(os.environ.get("RAY_TMPDIR", "/tmp"))),
        "shared memory": check_shared_memory,
        "open files": lambda: check_open_files(*resource.getrlimit(resource.RLIMIT_NOFILE)),
        "clock": lambda: check_clock(home, time.time()),
    }
    with ThreadPoolExecutor(len(checks)) as pool:
        yield from pool.map(lambda name: _made(name, checks[name]), checks)


def _made(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except OSError as error:
        return _warning(name, f"could not be checked: {error}", "look at the path that the error names")


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    detail = f"{version[0]}.{version[1]} in {sys.prefix}"
    if version < (3, 11):
        return _problem("python", f"{detail}, but nightsweep needs 3.11", "make install PYTHON=python3.12")
    return _ok("python", detail)


def check_packages() -> Finding:
    """Compares what the distribution asks for with what is installed, and with what it was tested with."""
    try:
        asked = [Requirement(text) for text in metadata.requires("nightsweep") or []]
    except metadata.PackageNotFoundError:
        return _warning("packages", "nightsweep runs from its folder and is not installed", "make install")
    wanted = [r for r in asked if r.marker is None or r.marker.evaluate({"extra": ""})]
    return judge_packages(wanted, {r.name: _installed(r.name) for r in wanted}, tested_versions())


def judge_packages(
    wanted: Sequence[Requirement], installed: Mapping[str, str | None], tested: Mapping[str, str]
) -> Finding:
    """Finds a problem in what is missing or below the bound, a warning in another major version or another Ray."""
    broken, strange = [], []
    for requirement in wanted:
        name, version = requirement.name, installed[requirement.name]
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            broken.append(
                (f"{name} {version or 'is missing'}, needs {requirement.specifier}", f"'{name}{requirement.specifier}'")
            )
        elif (known := tested.get(name.lower())) and _differs(name, Version(version), Version(known)):
            strange.append((f"{name} {version}, tested with {known}", f"{name}=={known}"))
    found = broken or strange
    if not found:
        ray, torch = (installed.get(name) or "?" for name in ("ray", "torch"))
        return _ok("packages", f"{len(wanted)} as tested or near it (ray {ray}, torch {torch})")
    return Finding(
        "packages",
        Level.PROBLEM if broken else Level.WARNING,
        "; ".join(detail for detail, _ in found),
        f"{sys.executable} -m pip install {' '.join(remedy for _, remedy in found)}",
    )


def tested_versions() -> dict[str, str]:
    """Returns lower-case name -> version, from constraints.txt; {} where only packages were installed."""
    file = Path(__file__).parents[2] / "constraints.txt"
    lines = file.read_text().splitlines() if file.is_file() else []
    return {
        name.strip().lower(): version.strip()
        for name, found, version in (line.partition("==") for line in lines)
        if found
    }


def check_command(found: str | None, own: Path) -> Finding:
    """Checks that the shell's `tune` is ours. found: its path, None if none; own: where ours is installed."""
    if not own.is_file():
        return _warning("command", f"no script {own}", f"{sys.executable} -m tune works; or: make install")
    if (owner := script_owner(own)) != "tune":
        reinstall = f"{sys.executable} -m pip install --no-deps --force-reinstall {_source()}"
        remedy = f"{reinstall}   (meanwhile: nightsweep, or python -m tune)"
        return _problem("command", f"{own} belongs to {owner}, which was installed after nightsweep", remedy)
    if found is None:
        return _ok("command", f"{own} is ours, but not on PATH: type its path, or activate the environment")
    if os.path.realpath(found) == os.path.realpath(own):
        return _ok("command", f"`tune` is {found}")
    remedy = f"source {own.parent / 'activate'}   (or type {own}, or nightsweep)"
    whose = script_owner(Path(found))
    other = "another nightsweep" if whose == "tune" else f"the `tune` of {whose}"
    return _warning("command", f"`tune` on PATH is {found}, {other}", remedy)


def script_owner(script: Path) -> str:
    """Returns the package of this console script: `tune` for ours, `ray`, `torchtune`, or `an unknown program`."""
    try:
        text = script.read_text(errors="replace")
    except OSError:
        return "an unknown program"
    if OUR_SCRIPT in text:
        return "tune"
    match = re.search(r"^\s*from (\w+)[\w.]* import ", text, re.MULTILINE)
    return match[1] if match else "an unknown program"


def check_gpu(torch: Mapping[str, Any], cards: Sequence[Mapping[str, str]] | None) -> Finding:
    """Checks the GPUs. torch: the answer of probe.ask_torch; cards: rows of nvidia-smi, None where there is none."""
    if "error" in torch:
        return _problem(
            "gpu", f"torch cannot be used: {torch['error']}", f"{sys.executable} -m pip install --force-reinstall torch"
        )
    if torch["available"] and not torch["fault"]:
        names = ", ".join(
            f"{c['name']} ({c['free'] / GB:.1f} of {c['total'] / GB:.1f} GB free)" for c in torch["cards"]
        )
        detail = f"{names}; torch {torch['torch']} for CUDA {torch['cuda']}"
        if any(card["free"] < 0.9 * card["total"] for card in torch["cards"]):
            return _warning("gpu", f"{detail}; in use by others", "nvidia-smi shows by whom")
        return _ok("gpu", detail)
    if not cards and not torch["available"]:
        return _ok("gpu", "none: trials run on the CPU")
    names = ", ".join(f"{card['name']}, driver {card['driver']}" for card in cards or ()) or "a card"
    detail = f"{names}, but torch {torch['torch']} cannot use it"
    if torch["cuda"] is None:
        return _problem(
            "gpu", f"{detail}: it is a CPU build", "install the CUDA build that pytorch.org names for your driver"
        )
    remedy = f"a driver that supports CUDA {torch['cuda']}, or a torch for an older CUDA: see pytorch.org"
    return _problem("gpu", f"{detail}: {torch['fault'] or 'no CUDA device is visible to it'}", remedy)


def check_ray(answer: Mapping[str, Any]) -> Finding:
    if "error" in answer:
        remedy = "export RAY_TMPDIR=/a/folder/of/yours, with a short name and on a local disk, and try again"
        return _problem("ray", f"a local Ray does not start: {answer['error']}", remedy)
    return _ok("ray", f"a local Ray ran a task after {answer['seconds']:.1f} s, on {answer['cpus']:g} CPU cores")


def check_mlflow(home: Path, environment: Mapping[str, str]) -> Finding:
    """Checks the store that studies without `tracking.uri` write to; a file is opened for writing and left as it is."""
    uri = environment.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(home / 'mlflow.db').absolute()}"
    shown = mask(uri)
    if uri.startswith("sqlite:///"):
        file = Path(uri.removeprefix("sqlite:///"))
        if not file.exists():
            return _ok("mlflow", f"{shown} will be made by the first study")
        try:
            with closing(sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=5)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            return _problem(
                "mlflow", f"{shown} cannot be written: {error}", f"ls -l {file}; or name another home: --home DIR"
            )
        return _ok("mlflow", f"{shown} can be written")
    answer = ask_mlflow(uri)
    if "error" in answer:
        remedy = "studies run on and `tune sync` catches up; to record into the home instead: unset MLFLOW_TRACKING_URI"
        return _warning("mlflow", f"{shown} does not answer: {mask(answer['error'].replace(uri, shown))}", remedy)
    return _ok("mlflow", f"{shown} answers after {answer['seconds']:.1f} s")


def check_home(home: Path) -> Finding:
    """Checks whether the home can be written, is on a local disk, and has room for checkpoints."""
    place = nearest_existing(home)
    if not os.access(place, os.W_OK | os.X_OK):
        return _problem(
            "home", f"{home.absolute()} cannot be written: no right to write in {place}", "name another: --home DIR"
        )
    finding = judge_space("home", home.absolute(), shutil.disk_usage(place), "checkpoints and the ledger")
    kind = filesystem(place)
    if finding.level is Level.OK and kind.startswith(NETWORK_FILESYSTEMS):
        detail = f"{home.absolute()} is on {kind}: SQLite cannot keep a ledger safely over a network"
        return _warning("home", detail, "name a folder on a local disk: --home DIR")
    return finding


def check_temporary_space(folder: Path) -> Finding:
    """Checks Ray's disk: it refuses to spill objects where 95 % are full."""
    usage = shutil.disk_usage(nearest_existing(folder))
    if usage.free < 0.05 * usage.total and usage.free < 50 * GB:
        remedy = f"free some of {folder}, or export RAY_TMPDIR=/a/bigger/folder"
        return _warning("ray's files", f"{folder} is more than 95 % full ({usage.free / GB:.1f} GB free)", remedy)
    return judge_space("ray's files", folder, usage, "Ray's session files")


def judge_space(check: str, folder: Path, usage: Any, content: str) -> Finding:
    """Checks the room. usage: bytes in `.free` and `.total`. Under 1 GB is a problem, under 10 GB a warning."""
    detail = f"{folder}: {usage.free / GB:.1f} of {usage.total / GB:.1f} GB free"
    if usage.free < 1 * GB:
        return _problem(check, f"{detail}, too little for {content}", f"free some space there: du -sh {folder}/*")
    if usage.free < 10 * GB:
        return _warning(check, f"{detail}, soon too little for {content}", f"see what takes it: du -sh {folder}/*")
    return _ok(check, detail)


def check_shared_memory(folder: Path = Path("/dev/shm")) -> Finding:
    """Checks the shared memory of object store and data loaders; containers get 64 MB unless told otherwise."""
    if not folder.is_dir():
        return _ok("shared memory", f"no {folder} here: Ray uses its folder for temporary files")
    total = shutil.disk_usage(folder).total
    if total < 1 * GB:
        remedy = "docker run --shm-size=8g, or mount -o remount,size=8G /dev/shm"
        return _warning("shared memory", f"{folder} holds {total / GB:.2f} GB: data loaders die of `Bus error`", remedy)
    return _ok("shared memory", f"{folder} holds {total / GB:.1f} GB")


def check_open_files(soft: int, hard: int) -> Finding:
    """Checks the hard limit of open files, to which Ray raises the soft one by itself."""
    if 0 <= hard < 4096:
        return _warning("open files", f"at most {hard} may be open", "ulimit -n 65536, or LimitNOFILE= of the service")
    raised = "" if soft == hard else f", Ray raises it to {'the most there is' if hard < 0 else hard}"
    return _ok("open files", f"{soft} may be open{raised}")


def check_clock(home: Path, now: float) -> Finding:
    """Checks that the clock was not set back: a night would begin twice. now: unix time."""
    zone = f"{time.strftime('%H:%M %Z (UTC%z)', time.localtime(now))}"
    ledger = home / "ledger.db"
    written = ledger.stat().st_mtime if ledger.is_file() else 0.0
    if written > now + 60:
        detail = f"{zone}, but the ledger was written {(written - now) / 60:.0f} minutes from now"
        return _warning("clock", detail, "set the clock: timedatectl set-ntp true")
    return _ok("clock", zone)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _differs(name: str, version: Version, tested: Version) -> bool:
    """Checks Ray's version: its inner parts, which the bridge builds on, change with each minor one."""
    return version.release[:2] != tested.release[:2] if name == "ray" else version.major != tested.major


def _own_script() -> Path:
    return Path(sysconfig.get_path("scripts")) / "tune"


def _source() -> str:
    """Returns what to reinstall: the folder of an editable installation, else the name."""
    with suppress(metadata.PackageNotFoundError, ValueError):
        address = json.loads(metadata.distribution("nightsweep").read_text("direct_url.json") or "{}")
        if address.get("dir_info", {}).get("editable"):
            return "-e " + urlsplit(address["url"]).path
    return "nightsweep"
