"""Checks that a damaged checkpoint is found out, whatever happened to it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.checkpoints.manifest import (
    MANIFEST,
    CorruptCheckpoint,
    parse_manifest,
    read_manifest,
    total_bytes,
    verify,
    write_manifest,
)

FILES = {"model.pt": b"weights " * 9999, "more/training.pt": b"momentum", "empty": b""}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """Returns a folder with three files and their manifest."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    write_manifest(tmp_path)
    return tmp_path


def check(directory: Path) -> None:
    verify(directory, read_manifest(directory))


def test_the_manifest_names_size_and_sha256_of_every_file(whole: Path):
    listed = json.loads((whole / MANIFEST).read_text())["files"]
    assert listed == {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in FILES.items()
    }
    assert total_bytes(read_manifest(whole)) == sum(map(len, FILES.values()))
    check(whole)


def test_its_digests_are_those_of_sha256sum(whole: Path):
    lines = "".join(f"{entry.sha256}  {name}\n" for name, entry in read_manifest(whole).items())
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet"], input=lines, cwd=whole, text=True, check=True)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0b100
    file.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped bit": (lambda d: flip(d / "model.pt"), "model.pt is not as it was written: its SHA-256 differs"),
    "a truncated file": (lambda d: (d / "model.pt").write_bytes(b"wei"), "model.pt has 3 bytes instead of 79992"),
    "a missing file": (lambda d: (d / "more" / "training.pt").unlink(), "more/training.pt is missing"),
    "a missing manifest": (lambda d: (d / MANIFEST).unlink(), "manifest.json is missing"),
    "half a manifest": (lambda d: (d / MANIFEST).write_text('{"files": {"mod'), "manifest.json cannot be read"),
    "a manifest of nothing": (lambda d: (d / MANIFEST).write_text("[]"), "manifest.json cannot be read"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_named(whole: Path, damage: str):
    harm, said = DAMAGES[damage]
    harm(whole)
    with pytest.raises(CorruptCheckpoint) as caught:
        check(whole)
    assert str(caught.value) == said


@pytest.mark.parametrize("name", ["../model.pt", "/etc/passwd", "a/../../b", ""])
def test_a_manifest_cannot_lead_out_of_its_checkpoint(name: str):
    with pytest.raises(CorruptCheckpoint, match="is not in the checkpoint"):
        parse_manifest(json.dumps({"files": {name: {"size": 0, "sha256": ""}}}))


def test_a_file_of_the_manifests_name_is_refused(tmp_path: Path):
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(ValueError, match="must not hold a file named"):
        write_manifest(tmp_path)
