"""The arrows `tune -> reports -> orchestrator -> trainables`, the fences around libraries, what never reaches what.

What is parsed is the source (tests/harness/source_tree.py); what an import brings in is seen by running it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.harness.import_graph import Graph, between_rooms, circle, import_graph, path_to
from tests.harness.source_tree import ORDER, imports_of, module_name, source_files

# A library that is not ours -> where it may be imported, as shell patterns.
FENCES = {
    "ray": tuple(f"orchestrator/cluster/ray_{name}.py" for name in ("bridge", "main", "host", "process")),
    "apprise": ("orchestrator/nights/apprise_client.py",),
    "mlflow": ("orchestrator/tracking/mlflow_client.py",),
    "sqlalchemy": ("orchestrator/ledger/*",),
    "optuna": ("orchestrator/policies/*", "reports/*"),
    "torch": ("trainables/*",),
    "torchvision": ("trainables/*",),
    "timm": ("trainables/*",),
    "pyarrow": ("orchestrator/checkpoints/object_store.py",),
    "fsspec": ("orchestrator/checkpoints/object_store.py",),
}

# The room or file on the left never comes to the one on the right, neither directly nor through others.
NEVERS = (
    ("orchestrator/space", "orchestrator/study_file"),
    ("orchestrator/ledger", "orchestrator/space"),
    ("orchestrator/cluster", "tune"),
    ("orchestrator/checkpoints", "orchestrator/ledger"),
    ("orchestrator/checkpoints", "orchestrator/tracking"),
    ("orchestrator/study", "orchestrator/cluster"),
    ("orchestrator/study", "ray"),
    ("orchestrator/errors.py", "orchestrator"),
    ("orchestrator/errors.py", "trainables"),
    ("reports/numbers", "reports/figures"),
    ("reports/numbers", "reports/pages"),
    ("reports/figures", "reports/pages"),
)

HEAVY = ("torch", "torchvision", "timm", "ray", "mlflow", "optuna", "pandas", "plotly", "pyarrow", "apprise")

# Imports a heavy library at its top by right: Ray's classes are its base classes. It is imported only when Ray runs.
HEAVY_BY_RIGHT = ("orchestrator.cluster.ray_bridge",)


def forbidden_imports(root: Path) -> list[str]:
    """Returns `file:line: what it must not import and why` for every import against an arrow or through a fence."""
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
    """Runs a program in a fresh interpreter; returns the JSON that it prints: module -> heavy modules it brought in."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def importing(modules: list[str]) -> str:
    """Returns a program that imports the modules one by one and prints which was the first to bring in what."""
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


def write_files(root: Path, files: Mapping[str, str]) -> None:
    """Writes a made-up repository: path -> source."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_the_arrows_point_one_way_and_the_fences_hold(repository):
    assert forbidden_imports(repository) == []


def test_every_kind_of_forbidden_import_is_seen(tmp_path):
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
    write_files(tmp_path, files)
    found = forbidden_imports(tmp_path)
    assert [line.split(": ")[0] + " " + line.split("import ")[1].split(":")[0] for line in found] == [
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


@pytest.fixture(scope="module")
def graph(repository: Path) -> Graph:
    return import_graph(repository)


@pytest.mark.parametrize(("start", "end"), NEVERS)
def test_what_must_never_be_reached_is_not_reached(repository: Path, graph: Graph, start: str, end: str):
    assert (repository / start).exists()  # a room that was renamed would hold every promise
    assert (repository / end).exists() or any(end in imported for imported in graph.values())
    assert path_to(graph, start, end) == []


def test_no_imports_run_in_a_circle(graph: Graph):
    assert circle(graph) == []
    assert circle(between_rooms(graph)) == []


def test_every_kind_of_path_and_circle_is_seen(tmp_path):
    files = {
        "trainables/net.py": "import torch\n",
        "orchestrator/__init__.py": "",
        "orchestrator/errors.py": "from trainables.net import Net\n",
        "orchestrator/space/domain.py": "def f():\n    from orchestrator.errors import InputMistake\n",
        "orchestrator/space/deep/domain.py": "import orchestrator.space.domain\n",
        "orchestrator/ledger/__init__.py": "from orchestrator.ledger.ledger import Ledger\n",
        "orchestrator/ledger/ledger.py": "from orchestrator.ledger import tables\n",
        "orchestrator/ledger/tables.py": "from ..space.deep import domain\n",
    }
    write_files(tmp_path, files)
    graph = import_graph(tmp_path)
    assert path_to(graph, "orchestrator/space", "orchestrator/ledger") == []
    assert path_to(graph, "orchestrator/errors.py", "orchestrator") == []
    assert path_to(graph, "orchestrator/errors.py", "trainables") == ["orchestrator.errors", "trainables.net"]
    assert path_to(graph, "orchestrator/ledger", "orchestrator/space")[1:] == ["orchestrator.space.deep.domain"]
    assert path_to(graph, "orchestrator/space", "torch") == [
        "orchestrator.space.domain",
        "orchestrator.errors",
        "trainables.net",
        "torch",
    ]
    assert set(circle(graph)) == {"orchestrator.ledger", "orchestrator.ledger.ledger"}
    assert circle(between_rooms(graph)) == []
    no_module_circle = {
        "trainables/net.py": "",
        "orchestrator/ledger/ledger.py": "",
        "orchestrator/space/field.py": "import orchestrator.ledger.rows\n",
        "orchestrator/ledger/rows.py": "import json\n",
    }
    write_files(tmp_path, no_module_circle)
    graph = import_graph(tmp_path)
    assert circle(graph) == []
    assert set(circle(between_rooms(graph))) == {"orchestrator.ledger", "orchestrator.space"}


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
