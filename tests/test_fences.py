"""The arrows `tune -> reports -> orchestrator -> trainables`, and who may import what.

The source is parsed, so imports inside functions, under TYPE_CHECKING and through importlib count as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.harness.source_tree import ORDER, imports_of, module_name, source_files

# Outside library -> where it may be imported, as shell patterns.
FENCES = {
    "ray": tuple(f"orchestrator/cluster/ray_{name}.py" for name in ("bridge", "main", "host", "process")),
    "mlflow": ("orchestrator/tracking/mlflow_client.py",),
    "sqlalchemy": ("orchestrator/ledger/*",),
    "optuna": ("orchestrator/policies/*", "reports/*"),
    "torch": ("trainables/*",),
    "torchvision": ("trainables/*",),
    "timm": ("trainables/*",),
    "pyarrow": ("orchestrator/checkpoints/object_store.py",),
    "fsspec": ("orchestrator/checkpoints/object_store.py",),
}

HEAVY = ("torch", "torchvision", "timm", "ray", "mlflow", "optuna", "pandas", "plotly", "pyarrow")

# Holds a heavy library at its top by right: Ray's classes are its base classes. It is imported only when Ray runs.
HEAVY_BY_RIGHT = ("orchestrator.cluster.ray_bridge",)


def offences(root: Path) -> list[str]:
    """`file:line: what it must not import and why`, for every import against an arrow or through a fence."""
    found = []
    for file in source_files(root):
        where = file.relative_to(root).as_posix()
        own = module_name(root, file).split(".")[0]
        for line, name in imports_of(root, file):
            top = name.split(".")[0]
            if top in ORDER and ORDER.index(top) > ORDER.index(own):
                found.append(f"{where}:{line}: {own} must not import {name}: the arrows point the other way")
            if top == "tests":
                found.append(f"{where}:{line}: must not import {name}: tests are not shipped")
            allowed = FENCES.get(top)
            if allowed and not any(fnmatch(where, pattern) for pattern in allowed):
                found.append(f"{where}:{line}: must not import {name}: only {', '.join(allowed)} may")
    return sorted(found)


def brought_in(program: str) -> dict[str, list[str]]:
    """Runs a program that prints a JSON mapping of module -> heavy modules it brought in, in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def importing(modules: list[str]) -> str:
    """A program that imports the modules one by one and says what heavy library each was the first to bring in."""
    return f"""
import importlib, json, sys
brought, seen = {{}}, set()
for name in {modules!r}:
    importlib.import_module(name)
    new = set({HEAVY!r}) & set(sys.modules) - seen
    seen |= new
    if new:
        brought[name] = sorted(new)
print(json.dumps(brought))
"""


def test_the_arrows_point_one_way_and_the_fences_hold(repository):
    assert offences(repository) == []


def test_the_checker_sees_every_kind_of_offence(tmp_path):
    files = {
        "trainables/__init__.py": "",
        "trainables/net.py": "import torch\nfrom . import trainable\n",
        "trainables/bad.py": "def f():\n    from orchestrator.trial import Trial\n",
        "trainables/deep/bad.py": "from ... import reports\nfrom ..net import x\n",
        "orchestrator/ledger/tables.py": "import sqlalchemy as sa\n",
        "orchestrator/cluster/ray_bridge.py": "import ray.tune\nfrom trainables.net import Net\n",
        "orchestrator/policies/tpe.py": "import optuna\n",
        "orchestrator/bad.py": (
            "from typing import TYPE_CHECKING\n"
            "import importlib\n"
            "if TYPE_CHECKING:\n"
            "    from sqlalchemy import Engine\n"
            "def f():\n"
            "    importlib.import_module('mlflow')\n"
            "    __import__('ray')\n"
            "    try:\n"
            "        from torch import nn\n"
            "    except ImportError: pass\n"
            "    from reports.numbers.comparison import compare\n"
        ),
        "reports/bad.py": "import optuna, tune\nimport tests.toy\nimport rayon, torchmetrics\n",
        "tune/command.py": "from reports import report\nimport ray\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert [
        offence.split(": ")[0] + " " + offence.split("import ")[1].split(":")[0] for offence in offences(tmp_path)
    ] == [
        "orchestrator/bad.py:11 reports.numbers.comparison.compare",
        "orchestrator/bad.py:4 sqlalchemy.Engine",
        "orchestrator/bad.py:6 mlflow",
        "orchestrator/bad.py:7 ray",
        "orchestrator/bad.py:9 torch.nn",
        "reports/bad.py:1 tune",
        "reports/bad.py:2 tests.toy",
        "trainables/bad.py:2 orchestrator.trial.Trial",
        "trainables/deep/bad.py:1 reports",
        "tune/command.py:2 ray",
    ]


def test_light_modules_bring_in_nothing_heavy(repository):
    names = [module_name(repository, file) for file in source_files(repository)]
    light = [name for name in names if name.startswith("orchestrator") and name not in HEAVY_BY_RIGHT]
    light += ["trainables", "trainables.trainable", "trainables.detection", "trainables.recognition", "reports"]
    light += [f"trainables.recognition.{name}" for name in ("charset", "data_section", "labels", "data_fingerprint")]
    assert brought_in(importing([name for name in light if name in names])) == {}


def test_the_lightness_check_sees_a_heavy_module(tmp_path):
    (tmp_path / "plotly.py").write_text("")  # stands in for the real one: found first, imported at once
    (tmp_path / "leaden.py").write_text("import json, plotly\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + importing(["json", "leaden"])
    assert brought_in(program) == {"leaden": ["plotly"]}


def test_the_help_brings_in_nothing_heavy(repository):
    command = [sys.executable, "-X", "importtime", "-m", "tune", "--help"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=repository, env=os.environ | {"COLUMNS": "100"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    imported = {
        line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if line.count("|") == 2
    }
    assert "typer" in imported, "importtime's format has changed: this test sees nothing"
    assert imported & {*HEAVY, "sqlalchemy", "numpy"} == set()


@pytest.mark.parametrize("word", ["utils", "util", "common", "helpers", "misc"])
def test_no_file_is_a_grab_bag(repository, word):
    assert [file for file in source_files(repository) if file.stem == word] == []
