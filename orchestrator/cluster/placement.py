"""How many trials a machine, or a cluster of them, holds at once."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.errors import InputMistake
from orchestrator.study_file.study_spec import StudySpec


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
