"""Reads what a trainable yields: a mapping of metric names to numbers."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any


class WrongMetrics(TypeError):
    """Says what a trainable must yield, and what it yielded."""


def numbers_of(metrics: Any) -> dict[str, float]:
    """Returns the yielded metrics as floats; numpy and torch scalars count as numbers. Raises WrongMetrics."""
    if not isinstance(metrics, Mapping):
        raise WrongMetrics(f"a trainable must yield a mapping of metric names to numbers, but yielded {metrics!r}")
    values = {}
    for name, value in metrics.items():
        if hasattr(value, "item") and getattr(value, "size", None) != 0:
            value = value.item()  # raises a clear error itself for more than one element
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise WrongMetrics(f"metric `{name}` must be a number, but is {value!r}")
        values[str(name)] = float(value)
    return values
