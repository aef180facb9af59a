"""Checks before GPU hours. The mechanism is here; every task brings its own checks (`Trainable.check`)."""

from __future__ import annotations

import random
from pathlib import Path

from orchestrator.study_file.study_spec import StudySpec
from trainables import Finding, load_trainable


def examine(spec: StudySpec, directory: Path) -> list[Finding]:
    """The trainable's own findings for the first config of the study; pictures go into `directory`."""
    trainable = load_trainable(spec.trainable)
    size = "endless" if spec.space.size is None else f"{spec.space.size} configs"
    space = Finding("study file", f"{len(spec.space.searched)} of {len(spec.space.parameters)} names searched, {size}")
    if trainable.check is None:
        return [space, Finding("data and model", f"not tried: trainable `{spec.trainable}` has no `check`")]
    given = spec.baselines[0].values if spec.baselines else {}
    first = spec.space.complete(given, random.Random(spec.search.seed))
    directory.mkdir(parents=True, exist_ok=True)
    try:
        findings = trainable.check(trainable.build_config(first), spec.data, directory)
    except Exception as error:  # a broken label file must not end in a traceback
        problem = f"{type(error).__name__}: {error}"
        findings = [Finding("data and model", "", problem)]
    return [space, *findings]
