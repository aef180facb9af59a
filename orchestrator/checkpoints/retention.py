"""Decides which checkpoints are worth their disk, and deletes the others.

The ledger says which checkpoints count: a crash left one without its report, and it is written again.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from contextlib import suppress
from dataclasses import replace

from orchestrator.checkpoints.storage import Sizes, Storage, StorageError
from orchestrator.trial import Objective, PausedBy, State, Trial


def epochs_to_keep(trial: Trial, objective: Objective, there: Collection[int], *, winner: bool) -> set[int]:
    """Returns the epochs of `trial`, of those that are `there`, whose checkpoints are worth their disk.

    An unfinished trial keeps its best and its newest two, of which one may turn out to be corrupt; one that the policy
    paused keeps its newest, because hundreds may wait. A completed trial keeps its best, a pruned or failed one none. A
    winner (the study's best trial, or the one that would be best if it failed) keeps its best whatever its state.
    """
    many_wait = trial.paused_by is PausedBy.POLICY
    if winner or (trial.state not in (State.PRUNED, State.FAILED) and not many_wait):
        best = best_saved_epoch(trial, objective, there)
        kept = set() if best is None else {best}
    else:
        kept = set()
    if not trial.state.final:
        saved = sorted(report.epoch for report in trial.reports if report.checkpoint and report.epoch in there)
        kept.update(saved[-1:] if many_wait else saved[-2:])
    return kept


def best_saved_epoch(trial: Trial, objective: Objective, there: Container[int] | None = None) -> int | None:
    """Returns the epoch with the best objective among those that saved a checkpoint; None where none did.

    The latest of equals: where the objective has not moved yet, the weights that learnt most are kept.
    there: the epochs whose checkpoints are stored; None: all that were saved.
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
    """Lists (trial, epoch) of the checkpoints to delete, in this order, until the rest takes at most `quota` bytes.

    sizes: by trial and epoch, the bytes of what is stored. best: the number of the study's best trial. Finished trials
    come first, from the worst on; then the earlier checkpoints of unfinished ones. The checkpoint of the study's best
    trial and the newest of each unfinished trial stay, even if they alone take more.
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


class Retention:
    """Keeps account of the stored checkpoints, and deletes those not worth their disk. quota: in bytes; None: no limit.

    A checkpoint that cannot be deleted now is deleted the next time its trial is tidied, or at the next start.
    """

    def __init__(self, storage: Storage, objective: Objective, quota: int | None) -> None:
        self._storage, self._objective, self._quota = storage, objective, quota
        self._there: Sizes = {}
        self._bytes = 0  # Of all checkpoints; not kept up to date without a quota.
        self._looked = False
        self._void: dict[int, set[int]] = {}  # By trial, the epochs whose checkpoints its last report made void.

    def epochs(self, number: int) -> Collection[int] | None:
        """Returns the epochs of a trial's stored checkpoints; None where the storage did not answer."""
        return self._there.get(number, {}).keys() if self._looked else None

    def begin(self, trials: Container[int]) -> list[int]:
        """Looks what is stored of these trials; returns those that have checkpoints. No worker may write meanwhile."""
        with suppress(StorageError):
            self._there = {number: sizes for number, sizes in self._storage.sizes().items() if number in trials}
            self._bytes = sum(size for sizes in self._there.values() for size in sizes.values())
            self._looked = True
        return list(self._there)

    def saved(self, number: int, epoch: int) -> None:
        """Notes that the ledger now names this checkpoint.

        Checkpoints of later epochs could not be loaded, or the trial would not have trained this epoch again. They are
        void, and are deleted when the trial is tidied, before its worker writes them anew.
        """
        there = self._there.setdefault(number, {})
        self._void.setdefault(number, set()).update(each for each in there if each > epoch)
        there.setdefault(epoch, 0)
        if self._quota is not None:
            before = sum(there.values())
            with suppress(StorageError):
                there.update(self._storage.sizes(number).get(number, {}))
            self._bytes += sum(there.values()) - before

    def tidy(self, trial: Trial, *, winner: bool) -> None:
        """Deletes the checkpoints of the trial that are not worth their disk. winner: as in `epochs_to_keep`."""
        there = self._there.get(trial.number, {})
        void = self._void.pop(trial.number, set())
        whole = there.keys() - void
        for epoch in there.keys() - epochs_to_keep(trial, self._objective, whole, winner=winner):
            self._delete(trial.number, epoch)
        if trial.state.final:
            with suppress(StorageError):
                self._storage.sweep(trial.number)

    def fit(self, trials: Mapping[int, Trial], best: int | None) -> None:
        """Deletes checkpoints until the quota is met. best: the number of the study's best trial."""
        if self._quota is None or self._bytes <= self._quota:
            return
        for number, epoch in over_quota(self._there, trials, self._objective, best, self._quota):
            self._delete(number, epoch)

    def _delete(self, number: int, epoch: int) -> None:
        with suppress(StorageError):
            self._storage.delete(number, epoch)
            self._bytes -= self._there[number].pop(epoch)
