"""Schedulers decide continue, prune or pause: pure decisions, rebuilt by replaying the ledger."""

from orchestrator.schedulers.asha import Asha
from orchestrator.schedulers.scheduler import Decision, RunToTheEnd, Scheduler

__all__ = ["Asha", "Decision", "RunToTheEnd", "Scheduler", "build_scheduler"]


def build_scheduler(name: str, *, eta: int, grace_epochs: int, mode: str) -> Scheduler:
    """The scheduler that a study file names; `mode` is the direction of its metric."""
    if name == "none":
        return RunToTheEnd()
    return Asha(eta=eta, grace_epochs=grace_epochs, mode=mode)
