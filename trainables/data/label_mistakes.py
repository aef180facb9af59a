"""Reports the mistakes in a file all at once, up to a number that can be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

SHOWN = 20  # mistakes


def raise_mistakes(file: Path, mistakes: Sequence[str]) -> None:
    """Raises ValueError where there are mistakes: a line for each of the first, then the number of the others."""
    if mistakes:
        more = len(mistakes) - SHOWN
        raise ValueError("\n".join([*mistakes[:SHOWN], *([f"{file}: and {more} more mistakes"] if more > 0 else [])]))
