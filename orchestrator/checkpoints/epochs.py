"""Which checkpoints are worth their disk, and what their folders are called.

trials/0007/checkpoint/epoch-0012/ is the state after epoch 12. The ledger says which of them count: one without its
report is the leftover of a crash and is written again.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from dataclasses import replace

from orchestrator.trial import Objective, State, Trial


def epochs_to_keep(trial: Trial, objective: Objective, there: Collection[int], *, winner: bool) -> set[int]:
    """The epochs of `trial` whose checkpoints are worth their disk, of those that are `there`.

    Unfinished: the best and the newest two (one of them may turn out to be corrupt). Completed: the best. Pruned and
    failed: none, unless the trial is a winner: the study's best, or the one that would be if the best failed.
    """
    if trial.state in (State.PRUNED, State.FAILED) and not winner:
        return set()
    best = best_saved_epoch(trial, objective, there)
    kept = set() if best is None else {best}
    if not trial.state.final:
        kept.update(
            sorted(report.epoch for report in trial.reports if report.checkpoint and report.epoch in there)[-2:]
        )
    return kept


def best_saved_epoch(trial: Trial, objective: Objective, there: Container[int] | None = None) -> int | None:
    """The epoch with the best objective among those that saved a checkpoint; None when none did.

    there: the epochs whose checkpoints are there; None: all that were saved.
    """
    saved = tuple(report for report in trial.reports if report.checkpoint and (there is None or report.epoch in there))
    best = replace(trial, reports=saved).best_report(objective)
    return best.epoch if best else None


def over_quota(
    sizes: Mapping[int, Mapping[int, int]],
    trials: Mapping[int, Trial],
    objective: Objective,
    best: int | None,
    quota: int,
) -> list[tuple[int, int]]:
    """The (trial, epoch) of checkpoints to delete, in this order, until the rest takes at most `quota` bytes.

    sizes: trial -> epoch -> bytes of what is there. best: the number of the study's best trial. First go finished
    trials, the worst first; then the earlier checkpoints of unfinished ones. The checkpoint of the study's best and the
    newest of each unfinished trial stay, even if they alone take more.
    """
    left = sum(size for epochs in sizes.values() for size in epochs.values())
    ranked: list[tuple[tuple[float, ...], int, int]] = []
    for number, epochs in sizes.items():
        trial = trials[number]
        value = trial.value(objective)
        worth = -float("inf") if value is None else objective.worst_first(value)
        newest = sorted(epochs, reverse=True)
        for epoch in epochs:
            rank = 0 if trial.state.final else {0: 3, 1: 2}.get(newest.index(epoch), 1)
            if rank < 3 and not (number == best and epoch == best_saved_epoch(trial, objective, epochs)):
                ranked.append(((rank, worth, -number, epoch), number, epoch))
    gone = []
    for _, number, epoch in sorted(ranked):
        if left <= quota:
            break
        gone.append((number, epoch))
        left -= sizes[number][epoch]
    return gone
