"""How the studies on one cluster share it: who may run how many trials, decided by each driver for itself.

Every driver publishes a claim and reads those of the others; the same rule over the same claims gives each its share,
so nobody has to be asked. Ray's own bookkeeping still holds: a claim that comes late delays a trial, never doubles one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.errors import InputMistake
from orchestrator.study_file.study_spec import StudySpec

_EPSILON = 1e-6  # 0.1 goes into 0.3 three times

Node = Mapping[str, float]  # {"CPU": n, "GPU": n} of one machine


@dataclass(frozen=True)
class Claim:
    """What one driver has of the cluster, and what it would take."""

    job: str  # Ray's id of the driver
    study: str
    pid: int
    host: str
    cpu: float  # of one trial
    gpu: float
    wanted: int  # trials that it would run now if it were alone
    running: int
    since: float  # unix time at which it last started an attempt; 0: never
    stuck: bool = False  # Ray has not found a place for what it started


def shares(nodes: Sequence[Node], claims: Iterable[Claim]) -> dict[str, int]:
    """Trials for each job: one to each in turn, who started something longest ago first, until nothing fits any more.

    So equals get equal parts, what is left over goes round, and a large trial gets its turn among small ones.
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
    """How many trials `own` may run now; when it is fewer than it does, as many should end or pause.

    It waits for room that others still use although it is no longer theirs.
    """
    if not others:
        return own.wanted
    if own.running and not own.stuck and any(other.stuck for other in others):
        return 0  # the pieces that are free lie apart
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
    """What is free on each machine."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._free = [{"CPU": node["CPU"], "GPU": node["GPU"]} for node in nodes]

    def take(self, claim: Claim) -> bool:
        """Put one trial where it leaves the least; False where there is no room on any machine."""
        fitting = [
            free for free in self._free if free["CPU"] + _EPSILON >= claim.cpu and free["GPU"] + _EPSILON >= claim.gpu
        ]
        if not fitting:
            return False
        tightest = min(fitting, key=lambda free: (free["GPU"], free["CPU"]))
        tightest["CPU"] -= claim.cpu
        tightest["GPU"] -= claim.gpu
        return True


def placement(spec: StudySpec, available: Mapping[str, float]) -> tuple[float, int]:
    """The GPUs that each trial takes, and how many trials fit at once. Raises InputMistake when not even one does.

    available: {"CPU": n, "GPU": n} of the machine or cluster.
    """
    cpus, gpus = available["CPU"], available["GPU"]
    wanted = spec.resources
    gpu = (1.0 if gpus >= 1 else 0.0) if wanted.gpu == "auto" else float(wanted.gpu)
    if gpu > gpus:
        raise InputMistake(
            f"{spec.study}: resources.gpu: must be at most the {gpus:g} GPUs there are, but got {gpu:g}; "
            "add --set resources.gpu=0 to train on the CPU, or --smoke to try the wiring"
        )
    if wanted.cpu > cpus:
        raise InputMistake(
            f"{spec.study}: resources.cpu: must be at most the {cpus:g} CPU cores there are, "
            f"but got {wanted.cpu:g}; add --set resources.cpu={cpus:g}"
        )
    budget = spec.budget
    if gpu == 0 and budget.gpu_hours and all(limit is None for limit in (budget.trials, budget.hours, budget.patience)):
        raise InputMistake(
            f"{spec.study}: budget.gpu_hours: must not be the only limit where trials take no GPU, but is; "
            "add --set budget.hours=8"
        )
    fits = int(cpus / wanted.cpu)
    if gpu > 0:
        fits = min(fits, int(gpus / gpu + 1e-9))  # 0.1 goes into 0.3 three times
    return gpu, max(1, fits if wanted.concurrent == "auto" else min(fits, wanted.concurrent))
