"""Fills checkpoints for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def fill_with(text: str) -> Callable[[Path], None]:
    """Returns what fills a checkpoint with 100 kB of weights and a file that holds the text."""

    def fill(directory: Path) -> None:
        (directory / "weights").mkdir()
        (directory / "weights" / "model.pt").write_bytes(bytes(100_000))
        (directory / "state.json").write_text(text)

    return fill
