"""What the driver asks of a worker, and what it hears back besides reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


@dataclass(frozen=True)
class Job:
    """One attempt at one trial."""

    number: int
    attempt: int
    config: dict[str, Any]
    seed: int
    checkpoint_epoch: int | None  # go on after this epoch; None: from the start


@dataclass(frozen=True)
class Workplace:
    """What all jobs of a study share."""

    trainable: str
    data: Mapping[str, Any]
    study_directory: str  # absolute
    device: str  # "cpu" or "cuda"
    search_path: str  # the folder `tune` was started in: a user's own trainable is found there
    storage: str | None = None  # the folder or URL of the checkpoints; None: study_directory


class FailureClass(StrEnum):
    """Why an attempt ended without result. What follows from each is decided in `Study.fail`."""

    EXCEPTION = "exception"  # the trainable raised
    NON_FINITE = "non-finite"  # a NaN or an infinity where a number must stand
    OUT_OF_MEMORY = "out of memory"
    WORKER_LOST = "worker lost"  # the process or its node died


@dataclass(frozen=True)
class Failure:
    kind: FailureClass
    message: str  # one line
    traceback: str | None = None


@dataclass(frozen=True)
class Ended:
    """The trainable came to its own end (failure None) or did not."""

    failure: Failure | None = None
