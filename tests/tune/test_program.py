"""The program in a folder of the user's that has packages with the names of ours."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Tune, commands, ended, shown

TRAINABLE = """
def train(config, run):
    for epoch in range(1, 3):
        yield {"epoch": epoch, "val/score": config["lr"]}
"""
STUDY = """
study: own
trainable: net_of_the_user
objective: {metric: val/score, mode: max}
space: {lr: 0.5}
budget: {trials: 1}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Makes a folder with a trainable of the user's, and with packages that bear the names of ours."""
    folder = tmp_path / "of the user"
    for name in ("reports", "orchestrator", "trainables"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise RuntimeError('{name} of the user')\n")
    (folder / "net_of_the_user.py").write_text(textwrap.dedent(TRAINABLE))
    (folder / "own.yaml").write_text(STUDY)
    return folder


@pytest.fixture
def tune(folder: Path, home: Path) -> Iterator[Tune]:
    """Returns a function that starts the command in that folder."""
    with commands(folder, home) as run:
        yield run


def test_packages_of_the_user_do_not_stand_in_for_ours(tune: Tune, home: Path):
    code, _, err = ended(tune("list"))
    assert code == 2
    assert err.startswith(f"--home: must be a folder that holds a ledger, but {home}")


def test_a_trainable_of_the_user_is_found_in_the_folder_where_the_command_is_started(tune: Tune):
    code, out, err = ended(tune("check", "own.yaml"))
    assert (code, err) == (0, "")
    assert "one report: with the one config" in out


@pytest.mark.ray
def test_neither_do_they_in_the_workers(tune: Tune):
    code, _, err = ended(tune("run", "own.yaml", MLFLOW_TRACKING_URI="http://127.0.0.1:9"))
    assert code == 0, err
    [trial] = shown(tune, "own")["trials"]
    assert (trial["state"], trial["epochs"], trial["value"], trial["attempts"]) == ("completed", 2, 0.5, 1)
