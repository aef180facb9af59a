"""Finds how far a searched range may reach, so that neither the trainable nor common sense refuses what is advised."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal

Edge = Literal["low", "high"]


def wider(domain: Mapping[str, Any], edge: Edge, limits: Mapping[str, float] | None = None) -> float | None:
    """Returns a bound further out: a factor of ten where the range is logarithmic, else one more width of it.

    limits: what the trainable takes: low and high (inclusive), above and below (exclusive), as far as they are known.
    None where nothing beyond the bound makes sense.
    """
    low, high, step = domain["low"], domain["high"], domain.get("step")
    whole = isinstance(low, int) and isinstance(high, int)
    limit, excluded = _limit(domain, edge, limits or {}, whole)
    bound = low if edge == "low" else high
    sign = -1 if edge == "low" else 1
    if domain.get("log"):
        found = bound * 10 if edge == "high" else bound / 10
        found = max(1, bound // 10) if whole and edge == "low" else found
    else:
        found = bound + sign * (high - low)
    if sign * (found - limit) > 0 or (excluded and found == limit):
        found = limit if not excluded else (bound + limit) / 2
    if whole:
        found = math.ceil(found) if edge == "low" else math.floor(found)
    if step is not None and not domain.get("log"):
        steps = abs(Fraction(str(found)) - Fraction(str(bound))) // Fraction(str(step))
        exact = Fraction(str(bound)) + sign * steps * Fraction(str(step))
        found = int(exact) if whole else float(exact)
    return found if sign * (found - bound) > 0 and math.isfinite(found) else None


def beyond(domain: Mapping[str, Any], edge: Edge) -> float:
    """Returns a value a little outside the range."""
    low, high, step = domain["low"], domain["high"], domain.get("step")
    bound, sign = (low, -1) if edge == "low" else (high, 1)
    if isinstance(low, int) and isinstance(high, int):
        return bound + sign * int(step or 1)
    if domain.get("log"):
        return bound * 1.01**sign
    return bound + sign * (step or 0.01 * (high - low))


def _limit(domain: Mapping[str, Any], edge: Edge, limits: Mapping[str, float], whole: bool) -> tuple[float, bool]:
    """Returns what the bound must not pass, and whether it may not even be reached."""
    low, high = domain["low"], domain["high"]
    inclusive, exclusive = ("low", "above") if edge == "low" else ("high", "below")
    if exclusive in limits:
        return limits[exclusive], True
    if inclusive in limits:
        return limits[inclusive], False
    if edge == "low":
        if low < 0:
            return -math.inf, False
        if whole:
            return min(low, 1), False  # Nobody knows of a count whether it may be nothing.
        return (0.0, False) if low == 0 else (low / 10, False)
    share = low >= 0 and high <= 1 and not whole and not domain.get("log")
    return (1.0, False) if share else (math.inf, False)
