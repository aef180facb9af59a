"""Reads what a trainable yields: a mapping of metric names to numbers."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from orchestrator.mistake import one_line
from orchestrator.worker.failure import clean


def numbers_of(metrics: Any) -> dict[str, float]:
    """Returns the yielded metrics as floats; numpy and torch scalars count as numbers. Raises TypeError."""
    if not isinstance(metrics, Mapping):
        raise TypeError(f"a trainable must yield a mapping of metric names to numbers, but yielded {metrics!r}")
    values = {}
    for name, value in metrics.items():
        value = _item(name, value)
        if isinstance(value, bool) or not isinstance(value, numbers.Real | Decimal):
            raise TypeError(f"metric `{name}` must be a number, but is {one_line(repr(value))}")
        values[clean(str(name))] = float(value)
    return values


def _item(name: object, value: Any) -> Any:
    """Returns the element of an array of numpy's or torch's; another value as it is. Raises TypeError."""
    if not hasattr(value, "item"):
        return value
    shape = tuple(getattr(value, "shape", ()))
    if math.prod(shape) != 1:
        what = f"an array of shape {shape}"
        raise TypeError(f"metric `{name}` must be one number, but is {what}; yield its mean, or each under a name")
    return value.item()
