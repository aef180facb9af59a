"""Checks that digests and fingerprints stay as they are, or every study would think that its data had changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from trainables.data import file_digest
from trainables.data.file_digest import digest_files, fingerprint


def test_a_fingerprint_is_the_beginning_of_the_sha256_of_all_parts() -> None:
    assert fingerprint([b"labels", b"crops"]) == hashlib.sha256(b"labelscrops").hexdigest()[:16]


def test_each_file_counts_once_and_in_the_order_of_the_paths(tmp_path: Path) -> None:
    for name, content in (("b", b"beta"), ("a", b"alpha")):
        (tmp_path / name).write_bytes(content)
    files = [tmp_path / name for name in ("b", "c", "a", "b")]
    assert list(digest_files(files)) == [
        hashlib.sha256(b"5alpha").digest(),
        hashlib.sha256(b"4beta").digest(),
        b"absent",
    ]


@pytest.mark.parametrize(("place", "seen"), [(0, True), (500, True), (999, True), (300, False)])
def test_of_many_bytes_the_beginning_the_middle_and_the_end_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int, seen: bool
) -> None:
    monkeypatch.setattr(file_digest, "HASHED_WHOLE", 100)
    monkeypatch.setattr(file_digest, "PIECE", 50)
    file = tmp_path / "large"
    content = bytearray(1000)
    file.write_bytes(content)
    before = list(digest_files([file]))
    content[place] = 1
    file.write_bytes(content)
    assert (list(digest_files([file])) != before) == seen
