"""Trains a config until its first report, as a trial would, and says what it yielded."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.mistake import did_you_mean, duration, one_line, short
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.worker.failure import failure_of
from orchestrator.worker.metrics import numbers_of
from trainables import Finding, LocalRun, Trainable

CHECK = "one report"


def first_report(spec: StudySpec, trainable: Trainable, config: Any, values: Mapping[str, Any], device: str) -> Finding:
    """Returns what the trainable reported first, with the seconds that it took; its checkpoint is thrown away."""
    began = time.perf_counter()
    named = ", ".join(f"{name} {short(value)}" for name, value in values.items() if name in spec.space.searched)
    tried = one_line(f"with {named}" if named else "with the one config", 200)
    with tempfile.TemporaryDirectory() as folder:
        run = LocalRun(Path(folder), data=spec.data, device=device, seed=spec.search.seed)
        try:
            reports = trainable.reports(config, run)
            try:
                report = numbers_of(next(reports))
            finally:
                if isinstance(reports, Generator):
                    with suppress(Exception):
                        reports.close()
        except StopIteration:
            return Finding(CHECK, tried, f"{tried}: `train` ended without a report; it must yield once an epoch")
        except (Exception, SystemExit) as error:  # whatever a trainable raises
            failure = failure_of(error)
            place = "" if failure.place is None else f" at {failure.place}"
            return Finding(CHECK, tried, f"{tried}: {failure.message}{place}")
        saved = bool(run.saved)
    seconds = time.perf_counter() - began
    said = ", ".join(f"{name} {short(value)}" for name, value in report.items()) or "nothing"
    detail = f"{tried}, after {duration(seconds)}: {said}" + ("; a checkpoint was saved" if saved else "")
    note = None if saved else "saves no checkpoint: a trial that is interrupted begins anew (run.save_checkpoint)"
    return Finding(CHECK, detail, missing(spec, report), epoch_seconds=seconds, note=note)


def missing(spec: StudySpec, report: Mapping[str, float]) -> str | None:
    """Says which metric of the study file the report lacks, or has as no finite number; None if neither."""
    for key, metric in (("objective.metric", spec.objective.metric), ("scheduler.metric", spec.scheduler.metric)):
        if metric is not None and metric not in report:
            given = ", ".join(report) or "nothing"
            return f"{key}: must be reported, but `train` yields {given}, not {metric!r}{did_you_mean(metric, report)}"
        if metric is not None and not math.isfinite(report[metric]):
            return f"{key}: must be a finite number, but {metric} is {report[metric]} in the first report"
    return None
