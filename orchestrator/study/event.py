"""Says what the progress display is told while a study runs."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.step import Step
from orchestrator.trial import Trial


@dataclass(frozen=True)
class Event:
    """Tells the progress display. kind: started, report, paused, completed, pruned, failed, retried.

    step: that it happened to; None: to the trial itself.
    """

    kind: str
    trial: Trial
    step: Step | None = None
