"""Describes what a trainable reports, so that a study which asks for another metric is refused before it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MODES = ("max", "min", None)


@dataclass(frozen=True)
class Metric:
    """Describes one metric.

    mode: whether it is best at its "max" or its "min"; None where neither is better.
    plateau: why it may stand still for epochs in which the trial learns, as half a sentence; None where it does not.
    moves: beside a plateau the metric that moves from the start.
    """

    mode: str | None = None
    plateau: str | None = None
    moves: str | None = None


def read_metrics(declared: Any) -> Mapping[str, Metric] | None:
    """Returns the metrics that a trainable declares: a mapping of names to "max", "min", None or a Metric.

    A list of names declares no modes. None for whatever else has the name `yields` in a module: an import, a function.
    """
    if isinstance(declared, (list, tuple)):
        declared = dict.fromkeys(declared)
    if not isinstance(declared, Mapping) or not declared or not all(isinstance(name, str) for name in declared):
        return None
    found = {name: each if isinstance(each, Metric) else Metric(each) for name, each in declared.items()}
    return found if all(metric.mode in MODES for metric in found.values()) else None
