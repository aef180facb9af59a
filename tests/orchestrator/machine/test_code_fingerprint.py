"""The fingerprint of the code changes with whatever may change a score, and with nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from orchestrator.machine.code_fingerprint import Code, code_of
from trainables import load_trainable

PROJECT = {
    "project/__init__.py": "",
    "project/trainer.py": '''"""Trains."""
import json
import common
from project import losses
from .nets import wide as net

def train(config, run):
    """Yields."""
    from project.metrics import accuracy
    yield {"val/acc": accuracy(0.5)}
''',
    "project/losses.py": "LOSS = 1\n",
    "project/metrics.py": "def accuracy(x):\n    return x\n",
    "project/nets/__init__.py": "from . import base\n",
    "project/nets/wide.py": "from .base import WIDTH\n",
    "project/nets/base.py": "WIDTH = 2\n",
    "project/unused.py": "X = 1\n",
    "common.py": "from project.losses import LOSS  # a circle\n",
    "json.pyi": "",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Mapping[str, str]], Code]]:
    """Writes files over those of PROJECT; returns the code of its trainable, loaded anew."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)

    def forget() -> None:
        for name in set(sys.modules) - known:
            if name.partition(".")[0] in ("project", "common"):
                del sys.modules[name]

    def written(files: Mapping[str, str]) -> Code:
        forget()
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return code_of(load_trainable("project.trainer"))

    yield written
    forget()


def test_it_holds_the_module_and_all_that_it_imports_below_its_folder(project):
    assert sorted(project(PROJECT).files) == [
        "common.py",
        "project/__init__.py",
        "project/losses.py",
        "project/metrics.py",
        "project/nets/__init__.py",
        "project/nets/base.py",
        "project/nets/wide.py",
        "project/trainer.py",
    ]


@pytest.mark.parametrize(
    "name, text, changed",
    [
        ("project/trainer.py", PROJECT["project/trainer.py"].replace("0.5", "0.25"), True),
        ("project/metrics.py", "def accuracy(x):\n    return 2 * x\n", True),
        ("project/nets/base.py", "WIDTH = 3\n", True),
        ("project/__init__.py", "import project.unused\n", True),
        ("project/losses.py", "LOSS = (1\n", True),  # Half written: Python cannot read it.
        ("project/unused.py", "X = 2\n", False),
        (
            "project/trainer.py",
            PROJECT["project/trainer.py"].replace('"""Yields."""', '"""Yields one."""  # so'),
            False,
        ),
        ("project/metrics.py", "def accuracy( x ):\n\n    return x  # the same\n", False),
    ],
)
def test_it_changes_with_the_code_and_not_with_its_comments(project, name: str, text: str, changed: bool):
    before, trainable = project(PROJECT), load_trainable("project.trainer")
    (Path(sys.modules["project"].__file__ or "").parent.parent / name).write_text(text)
    after = code_of(trainable)
    assert (after.fingerprint != before.fingerprint) is changed
    assert (name in after.differences(before)) is changed


def test_another_version_of_ours_is_a_difference_by_itself():
    files = {"a.py": "1", "b.py": "2"}
    assert Code("1.1", files | {"c.py": "3"}).differences(Code("1.0", files | {"b.py": "0"})) == [
        "b.py",
        "c.py",
        "nightsweep 1.0 -> 1.1",
    ]


def test_a_trainable_of_ours_is_held_by_its_own_files():
    files = code_of(load_trainable("recognition")).files
    assert {"trainables/recognition/ctc.py", "trainables/engine.py"} <= files.keys()
    assert all(name.startswith("trainables/") for name in files)
    assert "trainables/detection/dbnet.py" not in files
