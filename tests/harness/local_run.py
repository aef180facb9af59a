"""A trainable's Run without an orchestrator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class LocalRun:
    """A Run in a folder: checkpoints are numbered in the order they are saved."""

    folder: Path
    checkpoint_dir: Path | None = None
    data: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    seed: int = 0

    def save_checkpoint(self, fill: Callable[[Path], None]) -> None:
        directory = self.folder / f"{len(list(self.folder.iterdir())) + 1}"
        directory.mkdir()
        fill(directory)
