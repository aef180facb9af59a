"""Says whether this machine holds a trial of the study, and how many at once."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.cluster.sharing import gpus_wanted, resource_mistakes
from orchestrator.study_file.study_spec import StudySpec
from trainables import Finding


def check_machine(spec: StudySpec, available: Mapping[str, float]) -> Finding:
    """Judges `resources` by what there is, {"CPU": n, "GPU": n}; no trial is begun where one does not fit."""
    cpus, gpus = available["CPU"], available["GPU"]
    gpu, wanted = gpus_wanted(spec, available), spec.resources
    detail = f"{cpus:g} CPU cores, {gpus:g} GPUs"
    mistakes = resource_mistakes(spec, available)
    if mistakes:
        return Finding("machine", detail, "\n".join(mistakes))
    fitting = min(int(cpus // wanted.cpu), int(gpus // gpu) if gpu else int(cpus // wanted.cpu))
    taken = f"{wanted.cpu:g} core{'s' * (wanted.cpu != 1)}"
    if gpu:
        taken += f" and {gpu:g} GPU{'s' * (gpu != 1)}"
    detail += f"; a trial takes {taken}: {fitting} at once"
    note = None
    if isinstance(wanted.concurrent, int) and wanted.concurrent > fitting:
        note = f"resources.concurrent: asks for {wanted.concurrent} trials at once, but {fitting} fit this machine"
    return Finding("machine", detail, note=note)
