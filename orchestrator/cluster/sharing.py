"""Decides how many trials each study on a shared cluster may run, and how many GPUs one of its trials takes.

Every driver publishes a claim and reads those of the others. All apply the same rule to the same claims, so that nobody
has to be asked. Ray still counts what is in use: a claim that comes late delays a trial, but never starts one twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.errors import InputMistake
from orchestrator.study_file.study_spec import StudySpec

_EPSILON = 1e-6  # For rounding: 0.1 must fit into 0.3 three times.

Node = Mapping[str, float]  # What one machine has: {"CPU": n, "GPU": n}.


@dataclass(frozen=True)
class Claim:
    """Says what one driver uses of the cluster, and what it would use.

    job: the driver's id in Ray. cpu, gpu: of one trial. wanted: the trials that it would run now if it were alone.
    since: orders the claims by when each last started an attempt: one more than all that were known then; 0 for never.
    A number and no time, because clocks differ and are set. stuck: Ray has found no room for an attempt
    that it started.
    """

    job: str
    study: str
    pid: int
    host: str
    cpu: float
    gpu: float
    wanted: int
    running: int
    since: float
    stuck: bool = False


def shares(nodes: Sequence[Node], claims: Iterable[Claim]) -> dict[str, int]:
    """Returns the trials that each job may run.

    Every job gets one in turn, the one that started an attempt longest ago first, until nothing more fits. So equal
    studies get equal parts, what is left over goes round, and a large trial gets its turn among small ones.
    """
    order = sorted(claims, key=lambda claim: (claim.since, claim.job))
    room = _Room(nodes)
    given: Counter[str] = Counter({claim.job: 0 for claim in order})
    while True:
        taken = [claim.job for claim in order if given[claim.job] < claim.wanted and room.take(claim)]
        if not taken:
            return dict(given)
        given.update(taken)


def allowed(own: Claim, others: Sequence[Claim], nodes: Sequence[Node]) -> int:
    """Returns how many trials `own` may run now; where it runs more, the rest should end or pause.

    Room that others still use counts as taken, even where it is no longer theirs.
    """
    if not others:
        return own.wanted
    if own.running and not own.stuck and any(other.stuck for other in others):
        return 0  # What is free lies in pieces that are too small for the other study.
    share = shares(nodes, [own, *others])[own.job]
    room = _Room(nodes)
    for claim in [*others, own]:
        for _ in range(claim.running):
            room.take(claim)
    more = 0
    while own.running + more < share and room.take(own):
        more += 1
    return min(share, own.running + more)


class _Room:
    """Holds what is free on each machine."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._free = [{"CPU": node["CPU"], "GPU": node["GPU"]} for node in nodes]

    def take(self, claim: Claim) -> bool:
        """Puts one trial where it leaves the least; returns False where no machine has room."""
        fitting = [
            free for free in self._free if free["CPU"] + _EPSILON >= claim.cpu and free["GPU"] + _EPSILON >= claim.gpu
        ]
        if not fitting:
            return False
        tightest = min(fitting, key=lambda free: (free["GPU"], free["CPU"]))
        tightest["CPU"] -= claim.cpu
        tightest["GPU"] -= claim.gpu
        return True


def gpus_per_trial(spec: StudySpec, available: Mapping[str, float]) -> float:
    """Returns the GPUs that each trial takes. Raises InputMistake where not even one trial fits.

    available: {"CPU": n, "GPU": n} of the machine or cluster.
    """
    mistakes = resource_mistakes(spec, available)
    if mistakes:
        raise InputMistake(*(f"{spec.study}: {mistake}" for mistake in mistakes))
    return gpus_wanted(spec, available)


def gpus_wanted(spec: StudySpec, available: Mapping[str, float]) -> float:
    """Returns the GPUs that a trial asks for, whether they are there or not."""
    gpu = spec.resources.gpu
    return (1.0 if available["GPU"] >= 1 else 0.0) if gpu == "auto" else float(gpu)


def resource_mistakes(spec: StudySpec, available: Mapping[str, float]) -> list[str]:
    """Returns why not even one trial fits: `PATH: what must hold, but got X; what to do`."""
    cpus, gpus, budget = available["CPU"], available["GPU"], spec.budget
    gpu, found = gpus_wanted(spec, available), []
    if gpu > gpus:
        found.append(
            f"resources.gpu: must be at most the {gpus:g} GPUs there are, but got {gpu:g}; "
            "add --set resources.gpu=0 to train on the CPU, or type `tune run FILE --smoke` to try the wiring"
        )
    if spec.resources.cpu > cpus:
        found.append(
            f"resources.cpu: must be at most the {cpus:g} CPU cores there are, "
            f"but got {spec.resources.cpu:g}; add --set resources.cpu={cpus:g}"
        )
    if gpu == 0 and budget.gpu_hours and all(limit is None for limit in (budget.trials, budget.hours, budget.patience)):
        found.append(
            "budget.gpu_hours: must not be the only limit where trials take no GPU, but is; add --set budget.hours=8"
        )
    return found
