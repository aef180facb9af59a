from __future__ import annotations

import json
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from orchestrator.machine import provenance


@pytest.fixture
def repository_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "project"
    (folder / "deep").mkdir(parents=True)
    (folder / "train.py").write_text("lr = 0.1\n")
    git(folder, "init", "-q")
    git(folder, "add", "train.py")
    git(folder, "commit", "-q", "-m", "First")
    return folder


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def a_program(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_the_commit_of_the_current_folder_is_named(repository_of_ones_own: Path) -> None:
    commit = git(repository_of_ones_own, "rev-parse", "HEAD")
    known = {"git_commit": commit, "git_dirty": False, "git_remote": None}
    assert provenance.git(repository_of_ones_own) == known
    assert provenance.git(repository_of_ones_own / "deep") == known


def test_a_changed_file_makes_the_commit_dirty_and_a_new_one_does_not(repository_of_ones_own: Path) -> None:
    (repository_of_ones_own / "runs").mkdir()
    (repository_of_ones_own / "runs" / "ledger.db").write_text("")
    assert provenance.git(repository_of_ones_own)["git_dirty"] is False
    (repository_of_ones_own / "train.py").write_text("lr = 0.2\n")
    assert provenance.git(repository_of_ones_own)["git_dirty"] is True


def test_a_remote_is_told_without_its_password(repository_of_ones_own: Path) -> None:
    git(repository_of_ones_own, "remote", "add", "origin", "https://ada:hunter2@example.org/p.git")
    assert provenance.git(repository_of_ones_own)["git_remote"] == "https://ada:***@example.org/p.git"


def test_without_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    nothing = {"git_commit": None, "git_dirty": None, "git_remote": None}
    assert provenance.git(tmp_path) == nothing
    git(tmp_path, "init", "-q")
    assert provenance.git(tmp_path) == nothing  # no commit yet


def test_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git(tmp_path)["git_commit"] is None
    assert provenance.gpus() == []


def test_gpus_are_told_in_the_drivers_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_program(tmp_path / "bin", "nvidia-smi", "echo 'NVIDIA H200, 143771 MiB, 550.54.15'", monkeypatch)
    assert provenance.gpus() == ["NVIDIA H200, 143771 MiB, 550.54.15"]
    a_program(
        tmp_path / "bin", "nvidia-smi", "echo 'has failed because it could not talk to the driver'; exit 9", monkeypatch
    )
    assert provenance.gpus() == []


def test_a_program_that_hangs_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_program(tmp_path / "bin", "nvidia-smi", "exec sleep 60", monkeypatch)
    monkeypatch.setattr(provenance, "GPU_SECONDS", 0.2)
    assert provenance.gpus() == []


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["/venv/bin/tune", "run", "my study.yaml", "--trials", "+5"], "tune run 'my study.yaml' --trials +5"),
        (["/project/tune.py", "list"], "tune list"),
        (
            ["/venv/bin/nightsweep", "run", "--set", "tracking.uri=https://a:b@c"],
            "nightsweep run --set 'tracking.uri=https://a:***@c'",
        ),
        ([], "python"),
    ],
)
def test_the_command_is_told_as_it_is_typed_again(arguments: list[str], line: str) -> None:
    assert provenance.command(arguments) == line


def test_facts_are_plain_and_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tune", "run", "hrnet.yaml"])
    facts = provenance.facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["command"] == "tune run hrnet.yaml"
    assert facts["host"] == socket.gethostname()
    assert facts["python"] == sys.version.split()[0]
    assert facts["versions"]["torch"] == metadata.version("torch")
    assert facts["cpu"]
    assert facts["cpu_cores"] >= 1


def test_versions_are_read_without_importing_what_is_heavy() -> None:
    program = (
        "import sys; from orchestrator.machine import provenance; assert 'torch' in provenance.facts()['versions']\n"
        "print(sorted({'torch', 'ray', 'mlflow', 'optuna', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
