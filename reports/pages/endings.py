"""Words why a trial ended, in the report's language where the ledger's line is one of ours."""

from __future__ import annotations

from orchestrator.study.endings import EarlyStop, early_stop, is_cut, is_last_epoch, is_own_end
from orchestrator.trial import State, Trial
from reports.numbers.quantity import Quantity
from reports.words import Words


def ending(trial: Trial, words: Words) -> str:
    """Says why the trial ended, pauses or failed; "" where nothing was recorded."""
    if trial.state is State.PRUNED and is_cut(trial.reason):
        return words("trials.cut_at", epoch=trial.epochs)
    if trial.state is not State.COMPLETED:
        return trial.reason or ""
    match early_stop(trial.reason):
        case EarlyStop(str(metric), int(patience)):
            return words("trials.stopped_early", metric=metric, epochs=Quantity("epochs", patience))
    if is_last_epoch(trial.reason):
        return words("trials.last_epoch")
    if is_own_end(trial.reason):
        return words("trials.own_end", epoch=trial.epochs)
    return trial.reason or ""
