"""Defines what the driver asks of a worker, and what it hears back besides reports."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Silence:
    """Limits the seconds that a worker may take until its next report: `limit`; longer, and it hangs.

    factor: of the trial's longest epoch so far (`longest`, seconds; 0 before the first), but at least `floor` seconds.
    """

    limit: float
    longest: float
    factor: float
    floor: float

    def after(self, epoch_seconds: float) -> Silence:
        """Returns what counts once an epoch has taken so long."""
        longest = max(self.longest, epoch_seconds)
        return replace(self, limit=max(self.floor, self.factor * longest), longest=longest)


class JobKind(StrEnum):
    """Names what a job does: it trains a trial, or does a step of the study."""

    TRAIN = "train"
    SCORE = "score"  # a checkpoint on the test split


@dataclass(frozen=True, slots=True)
class JobRef:
    """Names one attempt. number: the trial's, or the step's where none is trained."""

    kind: JobKind
    number: int
    attempt: int


@dataclass(frozen=True)
class Job:
    """Asks for one attempt at a trial, or at a step that works with a trial's checkpoint. number: the trial's."""

    number: int
    attempt: int
    config: dict[str, Any]
    seed: int
    checkpoint_epoch: int | None  # go on after this epoch; None: from the start
    accumulation_steps: int | None = None  # in place of the config's, once memory ran out
    silence: Silence | None = None  # until the first report; None: as long as it takes
    kind: JobKind = JobKind.TRAIN
    step: int | None = None  # its number, unless the trial is trained
    pictures: bool = False  # with a scoring: draw what the model sees

    @property
    def ref(self) -> JobRef:
        """Returns the name of this attempt."""
        return JobRef(self.kind, self.number if self.step is None else self.step, self.attempt)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@dataclass(frozen=True)
class Start:
    """Says how `tune` was started: its trials stand where it stands.

    folder: absolute. program: what was typed, without its arguments. python_path: where modules are looked for.
    pythonpath: the variable, as it was set.
    """

    folder: str = field(default_factory=os.getcwd)
    program: str = field(default_factory=lambda: sys.argv[0])
    python_path: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))
    pythonpath: str | None = field(default_factory=lambda: os.environ.get("PYTHONPATH"))
    umask: int = field(default_factory=_umask)


@dataclass(frozen=True)
class Workplace:
    """Holds what all jobs of a study share."""

    trainable: str
    data: Mapping[str, Any]
    study_directory: str  # absolute
    device: str  # "cpu" or "cuda"
    search_path: str  # the folder `tune` was started in: a user's own trainable is found there
    storage: str | None = None  # the folder or URL of the checkpoints; None: study_directory
    start: Start = field(default_factory=Start)
    fresh_process: bool = False  # each attempt has a process of its own
    token: tuple[str, str] | None = None  # a file beside the checkpoints and its text: which machines see that folder?
    watch: tuple[str, str] | None = None  # the metric that the scheduler decides by, and its mode

    @property
    def in_sight(self) -> bool:
        """Returns whether this machine sees the folder in which the study keeps its checkpoints."""
        if self.token is None:
            return True
        file, text = self.token
        try:
            return Path(file).read_text() == text
        except OSError:
            return False


class FailureClass(StrEnum):
    """Names why an attempt ended without result. What follows from each: failures.py."""

    EXCEPTION = "exception"  # the trainable raised
    NON_FINITE = "non-finite"  # a NaN or an infinity where a number must stand
    OUT_OF_MEMORY = "out of memory"
    WORKER_LOST = "worker lost"  # the process or its node died, of a cause outside
    CRASH = "crash"  # the process died by its own fault: a library read memory that is not its own
    HANG = "hang"  # no report within the time that its epochs take
    STORAGE = "storage"  # a checkpoint or the log could not be written or read: a full disk, a store that is away


MACHINES_MEMORY = "the memory of its machine"  # the cause where that ran out, whoever used it up


@dataclass(frozen=True)
class Failure:
    kind: FailureClass
    message: str  # one line; of an exception `RuntimeError: what it says`
    traceback: str | None = None
    place: str | None = None  # where its first cause was raised: /home/me/train.py:12
    cause: str | None = None  # the class of that first cause: ValueError; or MACHINES_MEMORY


@dataclass(frozen=True)
class OutOfSight:
    """Says that the attempt was not begun, because its machine does not see the study's folder."""

    host: str


@dataclass(frozen=True)
class Ended:
    """Says that the trainable came to its own end (failure None) or did not.

    result: of a step. said: why the trainable ended, where it says so by what it returns.
    """

    failure: Failure | None = None
    result: Mapping[str, float] = field(default_factory=dict)
    said: str | None = None
