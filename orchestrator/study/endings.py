"""Words why a trial came to its end by itself, for the ledger; and reads off such words what they say."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from orchestrator.mistake import one_line
from orchestrator.trial import Trial

LONGEST = 300  # characters of what a trainable says of its end
_LAST_EPOCH, _OWN_END = "last epoch:", "ended by itself after epoch"

# The words of trainables/engine.py, which nothing here may import, and which a trainable of one's own may use too.
_STOPPED_EARLY = re.compile(r"stopped early\b(?:: (?P<metric>.+) did not improve for (?P<epochs>\d+) epochs?)?")


@dataclass(frozen=True)
class EarlyStop:
    """Says what a trainable that stopped early had watched, and for how many epochs; both None where it did not say."""

    metric: str | None = None
    patience: int | None = None


def reason_of_end(trial: Trial, last_epoch: float, said: str | None) -> str:
    """Returns one line: why the trainable came to its end.

    last_epoch: of a complete run; infinite where it is not known. said: what the trainable itself says of it.
    """
    if said is not None and one_line(said).strip():
        return one_line(said, LONGEST).strip()
    if math.isinf(last_epoch):
        return f"{_OWN_END} {trial.epochs}"
    if trial.epochs > last_epoch:
        return f"{_LAST_EPOCH} {trial.epochs}"
    reached = _LAST_EPOCH if trial.epochs == last_epoch else _OWN_END
    return f"{reached} {trial.epochs} of {last_epoch:g}"


def is_last_epoch(reason: str | None) -> bool:
    """Returns whether a reason says that the trial came to its last epoch."""
    return (reason or "").startswith(_LAST_EPOCH)


def is_cut(reason: str | None) -> bool:
    """Returns whether a reason is that of a scheduler which stopped the trial at a rung (policies/asha.py)."""
    return (reason or "").startswith("below the best")


def is_own_end(reason: str | None) -> bool:
    """Returns whether a reason says that the trainable ended earlier, and did not tell why."""
    return (reason or "").startswith(_OWN_END)


def early_stop(reason: str | None) -> EarlyStop | None:
    """Returns what a reason says of early stopping; None where it says nothing of it."""
    match = _STOPPED_EARLY.match(reason or "")
    if match is None:
        return None
    epochs = match["epochs"]
    return EarlyStop(match["metric"], None if epochs is None else int(epochs))
