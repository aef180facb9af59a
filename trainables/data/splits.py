"""Names the splits of a data set, and deals train and val anew into folds that keep together what belongs together."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Literal

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


def drawn_sizes(train: int) -> dict[Split, int]:
    """Returns how many examples of each split to draw: of val and test 3 of 10 as many as of train, four at least."""
    rest = max(4, round(train * 0.3))
    return {"train": train, "val": rest, "test": rest}


def held_out(groups: Sequence[str], folds: int, fold: int, seed: int) -> frozenset[str]:
    """Returns the groups that are val in fold `fold` (from 0) of `folds`; `groups` names the group of each example.

    The largest group first, equal ones in the order of a hash of their names, each goes to the fold that has the fewest
    examples so far. So the order of the labels does not matter, nor do the splits that they give, and where each
    example is its own group, folds differ by one at most. Raises ValueError where there are fewer groups than folds.
    """
    sizes = Counter(groups)
    if len(sizes) < folds:
        what = "the number of groups" if len(sizes) < len(groups) else "the number of examples"
        raise ValueError(f"data.folds: must be at most {what}, {len(sizes)}, but got {folds}")
    filled = [0] * folds
    parts: list[list[str]] = [[] for _ in range(folds)]
    for group in sorted(sizes, key=lambda group: (-sizes[group], _hash(group, seed))):
        emptiest = filled.index(min(filled))
        parts[emptiest].append(group)
        filled[emptiest] += sizes[group]
    return frozenset(parts[fold])


def _hash(group: str, seed: int) -> bytes:
    """Orders groups of equal size in a way that only their names and the seed decide."""
    return hashlib.sha256(f"{seed} {group}".encode()).digest()
