"""Checks before GPU hours. The mechanism is here; every task brings its own checks (`Trainable.check`)."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

from orchestrator.progress import duration
from orchestrator.schedulers.asha import expected_epochs
from orchestrator.study_file.study_spec import StudySpec
from trainables import Finding, load_trainable


def examine(spec: StudySpec, directory: Path) -> list[Finding]:
    """The trainable's own findings for the first config of the study, and the cost; pictures go into `directory`."""
    trainable = load_trainable(spec.trainable)
    size = "endless" if spec.space.size is None else f"{spec.space.size} configs"
    space = Finding("study file", f"{len(spec.space.searched)} of {len(spec.space.parameters)} names searched, {size}")
    if trainable.check is None:
        return [space, Finding("data and model", f"not tried: trainable `{spec.trainable}` has no `check`")]
    given = spec.baselines[0].values if spec.baselines else {}
    config = trainable.build_config(spec.space.complete(given, random.Random(spec.search.seed)))
    directory.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, int(spec.resources.cpu))))  # as a trial's worker has it
    try:
        findings = trainable.check(config, spec.data, directory)
    except Exception as error:  # a broken label file must not end in a traceback
        return [space, Finding("data and model", "", f"{type(error).__name__}: {error}")]
    measured = [finding.epoch_seconds for finding in findings if finding.epoch_seconds is not None]
    return [space, *findings, *([_cost(spec, config, measured[-1])] if measured else [])]


def _cost(spec: StudySpec, config: Any, epoch_seconds: float) -> Finding:
    """What the whole study takes, evaluation and start-up aside, if every config is as quick as the first."""
    epochs, trials = getattr(config, "epochs", None), spec.budget.trials
    if epochs is None or trials is None:
        return Finding(
            "cost", f"about {duration(epoch_seconds)} an epoch; the budget has no number of trials to multiply"
        )
    asha = spec.scheduler
    whole = trials if asha.name == "none" else min(trials, len(spec.baselines))  # trained to the end
    total = whole * epochs
    if trials > whole:
        total += round(expected_epochs(trials - whole, epochs, asha.grace_epochs, asha.eta))
    detail = f"{trials} trials of at most {epochs} epochs take about {total} epochs, {duration(total * epoch_seconds)}"
    if spec.budget.hours is not None:
        detail += f", and the budget ends after {spec.budget.hours:g} hours"
    return Finding("cost", detail + "; n trials at once take an n-th of it")
