"""Gives every number of a report its kind, so that each language can write it in its own way."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.trial import Objective

# Words of a metric's name under which numbers from 0 to 1 are no shares of anything.
_NOT_A_SHARE = {"loss", "nll", "entropy", "mse", "mae", "rmse", "perplexity", "seconds", "ms", "distance", "bce", "ctc"}
# Words under which numbers from 0 to 100 are percentages.
_A_SHARE = {"accuracy", "acc", "hmean", "f1", "precision", "recall", "iou", "miou", "dice", "map", "auc", "cer", "wer"}
_A_SHARE |= {"percent", "pct", "top1", "top5"}


@dataclass(frozen=True)
class Scale:
    """Says how values of the objective are shown: fractions as percentages, others as they are."""

    unit: Literal["fraction", "percent", "plain"] = "plain"
    decimals: int = 4

    @property
    def factor(self) -> float:
        """Returns what a value is multiplied by before it is shown."""
        return 100.0 if self.unit == "fraction" else 1.0

    @property
    def in_points(self) -> bool:
        """Returns whether a difference between two values is a number of percentage points."""
        return self.unit != "plain"

    def difference(self, a: float, b: float) -> float:
        """Returns a - b as a reader finds it who subtracts the values shown; the exact one where those look alike."""
        shown = round(a * self.factor, self.decimals) - round(b * self.factor, self.decimals)
        return shown / self.factor if abs(shown) >= 0.5 * 10.0**-self.decimals else a - b


def scale_of(objective: Objective, values: Sequence[float]) -> Scale:
    """Chooses the scale for finite values. Two decimals for percentages, more where the two best differ by less."""
    if not values:
        return Scale()
    words = set(re.split(r"[^a-z0-9]+", objective.metric.lower()))
    low, high = min(values), max(values)
    if low >= 0.0 and high <= 1.0 and not words & _NOT_A_SHARE:
        return Scale("fraction", _decimals([100.0 * value for value in values], objective, 2))
    if low >= 0.0 and 1.0 < high <= 100.0 and words & _A_SHARE:
        return Scale("percent", _decimals(values, objective, 2))
    spread = _spread(values)
    least = min(max(2 - math.floor(math.log10(spread) + 1e-9), 0), 6) if spread > 0 else 4
    return Scale("plain", _decimals(values, objective, least))


def _spread(values: Sequence[float]) -> float:
    """Returns the distance between the quartiles, or between the ends where the quartiles are equal."""
    ranked = sorted(values)
    inner = ranked[(3 * len(ranked)) // 4] - ranked[len(ranked) // 4]
    return inner if inner > 0 else ranked[-1] - ranked[0]


def _decimals(values: Sequence[float], objective: Objective, least: int) -> int:
    """Returns as many decimals as show that the two best differ, at most two more than `least`."""
    ranked = sorted(set(values), key=objective.worst_first)
    if len(ranked) < 2:
        return least
    needed = math.ceil(-math.log10(abs(ranked[-1] - ranked[-2])) - 1e-9)
    return min(max(least, needed), least + 2)


Kind = Literal[
    "value",  # of the objective
    "points",  # a difference of two values of the objective, without its sign
    "signed_points",
    "relative",  # a fraction, shown as a signed percentage
    "share",  # a fraction, shown as a percentage
    "duration",  # seconds
    "trials",
    "epochs",
    "studies",
    "seeds",  # to train one config with, besides those that were
    "pictures",
    "correlation",
]


@dataclass(frozen=True)
class Quantity:
    """Pairs a number with what it counts."""

    kind: Kind
    number: float


@dataclass(frozen=True)
class Sentence:
    """Names what is to be said, in no language yet: a key of the locale files and what fills its placeholders."""

    key: str
    values: Mapping[str, Quantity | str] = field(default_factory=dict)


def sentence(key: str, **values: Quantity | str | int) -> Sentence:
    """Makes a sentence; whole numbers, such as those of trials, are written as they are."""
    return Sentence(key, {name: str(value) if isinstance(value, int) else value for name, value in values.items()})
