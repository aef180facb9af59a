"""Computes rank statistics of few trials, each with how far chance alone would go."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Correlation:
    """Holds Spearman's rank correlation of n pairs."""

    value: float
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        """Returns (low, high), between which the true correlation lies in 95 of 100 cases; rough below 25 pairs.

        Fisher's z with the standard error of Bonett and Wright (2000).
        """
        if self.n <= 3:
            return -1.0, 1.0
        z = math.atanh(max(-0.99, min(0.99, self.value)))  # A perfect correlation of five pairs proves little.
        half = 1.96 * math.sqrt((1.0 + self.value**2 / 2.0) / (self.n - 3))
        low, high = math.tanh(z - half), math.tanh(z + half)
        return (min(low, self.value), max(high, self.value))


@dataclass(frozen=True)
class Share:
    """Says which share of a ranking groups explain, 0 to 1.

    by_chance: what chance alone exceeds once in twenty times.
    """

    value: float
    by_chance: float


def ranks(values: Sequence[float]) -> list[float]:
    """Returns the rank of each value, 1 for the smallest; equals share their mean rank."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in range(start, end + 1):
            found[order[place]] = (start + end) / 2.0 + 1.0
        start = end + 1
    return found


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> Correlation | None:
    """Returns Spearman's correlation; None where one side is all equal, or with fewer than two pairs."""
    a, b = ranks([x for x, _ in pairs]), ranks([y for _, y in pairs])
    mean = (len(pairs) + 1) / 2.0
    scale = math.sqrt(sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b))
    if scale == 0.0:
        return None
    value = sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True)) / scale
    return Correlation(max(-1.0, min(1.0, value)), len(pairs))


def explained(groups: Sequence[Hashable], values: Sequence[float]) -> Share | None:
    """Returns how much of the ranking of `values` the groups explain: Kruskal and Wallis's H over n - 1.

    None where there is one group only, where each value is a group of its own, or where all values are equal.
    """
    ranked = ranks(values)
    mean, n, k = (len(ranked) + 1) / 2.0, len(ranked), len(set(groups))
    total = sum((rank - mean) ** 2 for rank in ranked)
    if not 1 < k < n or total == 0.0:
        return None
    sums: dict[Hashable, float] = {}
    sizes: dict[Hashable, int] = {}
    for group, rank in zip(groups, ranked, strict=True):
        sums[group] = sums.get(group, 0.0) + rank - mean
        sizes[group] = sizes.get(group, 0) + 1
    between = sum(part * part / sizes[group] for group, part in sums.items())
    return Share(between / total, min(1.0, chi_square_95(k - 1) / (n - 1)))


def thirds(places: Sequence[float]) -> list[int]:
    """Returns 0, 1 or 2 for the lower, middle and upper third of the ranking; equals stay together."""
    return [min(int(3.0 * (rank - 0.5) / len(places)), 2) for rank in ranks(places)]


def chi_square_95(degrees: int) -> float:
    """Returns the 95th percentile of chi-square, by Wilson and Hilferty (1931): within 1 %, at 1 degree 3 %."""
    part = 2.0 / (9.0 * degrees)
    return degrees * (1.0 - part + 1.6449 * math.sqrt(part)) ** 3
