"""Builds the policy that a study file names."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from orchestrator.policies.asha import Asha
from orchestrator.policies.policy import Policy
from orchestrator.policies.random_search import RandomSearcher
from orchestrator.policies.scheduler import RunToTheEnd, Scheduler
from orchestrator.policies.stopping import StoppingPolicy
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.trial import Trial


def sampler_of(name: str) -> str:
    """Returns what a study file's `sampler` stands for: `auto` is the best that we have measured so far."""
    return "random" if name == "auto" else name


def build_policy(
    spec: StudySpec, *, others: Sequence[Trial] = (), last_epoch: Callable[[Trial], float] = lambda trial: math.inf
) -> Policy:
    """Returns the policy of a study.

    others: trials of other studies, their configs in the words of this space. last_epoch: the epochs of a trial's
    complete run, infinite where that is not known.
    """
    assert sampler_of(spec.search.sampler) == "random", spec.search.sampler
    scheduler = spec.scheduler
    return StoppingPolicy(
        RandomSearcher(spec.space, spec.search.seed),
        build_scheduler(
            scheduler.name,
            eta=scheduler.eta,
            grace_epochs=scheduler.grace_epochs,
            mode=scheduler.mode or spec.objective.mode,
        ),
        scheduler.metric or spec.objective.metric,
        others=others,
        last_epoch=last_epoch,
    )


def build_scheduler(name: str, *, eta: int, grace_epochs: int, mode: str = "max") -> Scheduler:
    """Returns the scheduler that a study file names; what no name of ours says stops nothing.

    mode: the direction of its metric.
    """
    return Asha(eta=eta, grace_epochs=grace_epochs, mode=mode) if name == "asha" else RunToTheEnd()
