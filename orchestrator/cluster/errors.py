"""Says what went wrong with a cluster."""

from __future__ import annotations

from orchestrator.errors import NightsweepError


class RayUnavailable(NightsweepError):
    """Says that no Ray cluster could be started or reached."""


class RayLost(NightsweepError):
    """Says that the cluster on which the study ran is gone."""


class WorkFailed(NightsweepError):
    """Says what a request to the cluster raised."""
