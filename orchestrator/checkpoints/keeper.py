"""Deletes what is not worth its disk while a study runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from orchestrator.checkpoints.epochs import epochs_to_keep, over_quota
from orchestrator.checkpoints.storage import Sizes, Storage, StorageError
from orchestrator.trial import Objective, Trial


class Keeper:
    """Knows the checkpoints that are there, without looking again after each report. quota: bytes, None without one.

    A checkpoint that cannot be deleted just now goes the next time its trial is looked at, or at the next start.
    """

    def __init__(self, storage: Storage, objective: Objective, quota: int | None) -> None:
        self._storage, self._objective, self._quota = storage, objective, quota
        self._there: Sizes = {}
        self._bytes = 0  # of all that are there; known only with a quota
        self._looked = False

    def epochs(self, number: int) -> Collection[int] | None:
        """The checkpoints of a trial that are there; None where the storage did not say."""
        return self._there.get(number, {}).keys() if self._looked else None

    def begin(self, trials: Mapping[int, Trial], winners: Collection[int | None]) -> None:
        """See what is there, and delete what a crash did not let go. No worker writes meanwhile."""
        with suppress(StorageError):
            self._there = {number: sizes for number, sizes in self._storage.sizes().items() if number in trials}
            self._bytes = sum(size for sizes in self._there.values() for size in sizes.values())
            self._looked = True
        for number in list(self._there):
            self.tidy(trials[number], winner=number in winners)

    def saved(self, number: int, epoch: int) -> None:
        """The ledger now names this checkpoint.

        Later ones of the trial could not be loaded, or it would not have learned this epoch again: they are void.
        """
        there = self._there.setdefault(number, {})
        for later in [each for each in there if each > epoch]:
            self._delete(number, later)
        there.setdefault(epoch, 0)
        if self._quota is not None:
            before = sum(there.values())
            with suppress(StorageError):
                there.update(self._storage.sizes(number).get(number, {}))
            self._bytes += sum(there.values()) - before

    def tidy(self, trial: Trial, *, winner: bool) -> None:
        """Keep of the trial what is worth its disk."""
        there = self._there.get(trial.number, {})
        for epoch in there.keys() - epochs_to_keep(trial, self._objective, there, winner=winner):
            self._delete(trial.number, epoch)
        if trial.state.final:
            with suppress(StorageError):
                self._storage.sweep(trial.number)

    def fit(self, trials: Mapping[int, Trial], best: int | None) -> None:
        """Let go what is over the quota."""
        if self._quota is None or self._bytes <= self._quota:
            return
        for number, epoch in over_quota(self._there, trials, self._objective, best, self._quota):
            self._delete(number, epoch)

    def _delete(self, number: int, epoch: int) -> None:
        with suppress(StorageError):
            self._storage.delete(number, epoch)
            self._bytes -= self._there[number].pop(epoch)
