"""Says everything that is wrong with a file at once, within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

SHOWN = 20


def raise_mistakes(file: Path, mistakes: Sequence[str]) -> None:
    """Raises ValueError with a line for each of the first mistakes and the number of the others; none: returns."""
    if mistakes:
        more = len(mistakes) - SHOWN
        raise ValueError("\n".join([*mistakes[:SHOWN], *([f"{file}: and {more} more mistakes"] if more > 0 else [])]))
