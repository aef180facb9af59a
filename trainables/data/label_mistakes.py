"""Reports the mistakes in a file all at once, up to a number that can be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

SHOWN = 20  # mistakes


def group_mistakes(mistakes: Iterable[tuple[str, str]]) -> list[str]:
    """Returns a line for each different mistake: the first place that has it, and how many others do.

    mistakes: where each is, and what is wrong.
    """
    places: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for where, mistake in mistakes:
        places.setdefault(mistake, where)
        counts[mistake] += 1
    return [
        f"{where}: {mistake}" + (f" ({counts[mistake] - 1} more like it)" if counts[mistake] > 1 else "")
        for mistake, where in places.items()
    ]


def raise_mistakes(file: Path, mistakes: Sequence[str]) -> None:
    """Raises ValueError where there are mistakes: a line for each of the first, then the number of the others."""
    if mistakes:
        more = len(mistakes) - SHOWN
        raise ValueError("\n".join([*mistakes[:SHOWN], *([f"{file}: and {more} more mistakes"] if more > 0 else [])]))
