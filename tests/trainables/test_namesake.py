"""A user's package that is called as one of ours holds trainables like any other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

TRAIN = "def train(config, run):\n    yield {'a': %s}\n"
PROGRAM = """
import sys
sys.path = [folder for folder in sys.path if folder not in ("", sys.argv[1])] + [sys.argv[1]]
import reports.words
from trainables import UnknownTrainable, load_trainable
from orchestrator.machine.code_fingerprint import code_of
for name in sys.argv[2:]:
    try:
        trainable = load_trainable(name)
        print(next(trainable.train({}, None))["a"], *sorted(code_of(trainable).files))
    except UnknownTrainable as unknown:
        print(unknown)
"""


def loaded(folder: Path, files: Mapping[str, str], *names: str) -> list[str]:
    """Writes the files; returns what a process that looks for modules there comes to with each trainable."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), *names], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_is_found_beside_ours_or_what_hides_it_is_said(tmp_path: Path) -> None:
    files = {
        "reports/__init__.py": "from .helper import HALF\n" + TRAIN % 5,
        "reports/mine.py": "from reports import HALF\nfrom reports.helper import two\n" + TRAIN % "HALF * two()",
        "reports/helper.py": "HALF = 0.5\ndef two():\n    return 2\n",
        "trainables/net/trainer.py": TRAIN % 3,  # A folder without __init__.py is a package, too.
        "trainables/engine.py": TRAIN % 4,
        "trainables/other.py": "from trainables.engine import train\n",
        "tune/of_mine.py": TRAIN % 6,
        "orchestrator/__init__.py": "",
        "orchestrator/of_mine.py": TRAIN % 7,
    }
    names = ["reports.mine:train", "reports:train", "trainables.net.trainer", "tune.of_mine", "orchestrator.of_mine"]
    found = loaded(tmp_path, files, *names, "trainables.engine:train", "trainables.other", "reports.none")
    assert found[0] == "1.0 reports/__init__.py reports/helper.py reports/mine.py"
    assert found[1].startswith("5 ")
    assert found[2:5] == [
        "3 trainables/net/trainer.py",
        "6 tune/of_mine.py",
        "7 orchestrator/__init__.py orchestrator/of_mine.py",
    ]
    hidden = "module `trainables.engine` is one of nightsweep's own, which hides"
    assert found[5] == f"{hidden} {tmp_path}/trainables/engine.py; rename that file or its folder"
    assert found[6].startswith("`trainables.other` cannot be imported: cannot import name 'train' from")
    assert found[6].endswith(f"whose modules come first: rename {tmp_path}/trainables")
    assert found[7].endswith("but no module `reports.none` was found")
    assert len(found) == 8
