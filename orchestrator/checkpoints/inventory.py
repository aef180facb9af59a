"""Lists the checkpoints of a study that are stored, with the addresses that a user types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.checkpoints.manifest import CorruptCheckpoint
from orchestrator.checkpoints.open_storage import open_storage
from orchestrator.checkpoints.retention import best_saved_epoch
from orchestrator.checkpoints.storage import Sizes, Storage, StorageError, storage_address
from orchestrator.home import Home
from orchestrator.trial import Objective, Trial


@dataclass(frozen=True)
class Inventory:
    """Holds what a storage has of one study. sizes: empty where `error` says why the storage cannot be read."""

    home: Home
    storage: Storage
    sizes: Sizes
    error: str | None = None

    @staticmethod
    def of(raw: Mapping[str, Any], uid: str, name: str, home: Home) -> Inventory:
        """Looks into the storage of a study. raw, uid, name: of the study, as the ledger has them."""
        storage = open_storage(storage_address(raw, uid), home.study(name))
        try:
            return Inventory(home, storage, storage.sizes())
        except StorageError as error:
            return Inventory(home, storage, {}, str(error))

    @property
    def count(self) -> int:
        """Returns how many checkpoints there are."""
        return sum(map(len, self.sizes.values()))

    @property
    def bytes(self) -> int:
        """Returns the bytes that they take in all."""
        return sum(size for epochs in self.sizes.values() for size in epochs.values())

    def best_address(self, trial: Trial, objective: Objective) -> str | None:
        """Returns the folder or URL of the trial's best stored checkpoint; None where it has none."""
        epoch = self.best_epoch(trial, objective)
        if epoch is None:
            return None
        name = self.storage.address(trial.number, epoch)
        return name if "://" in name else self.home.shown(Path(name))

    def verified_best_address(self, trial: Trial, objective: Objective) -> tuple[str | None, str | None]:
        """Returns (`best_address`, None) where that checkpoint is whole; else (None, what is wrong, if anything)."""
        epoch, name = self.best_epoch(trial, objective), self.best_address(trial, objective)
        if epoch is None:
            return None, self.error
        try:
            self.storage.check(trial.number, epoch)
        except (CorruptCheckpoint, StorageError) as error:
            return None, f"the checkpoint {name} cannot be used: {error}"
        return name, None

    def best_epoch(self, trial: Trial, objective: Objective) -> int | None:
        """Returns the best epoch of the trial of which a checkpoint is stored."""
        return best_saved_epoch(trial, objective, self.sizes.get(trial.number, {}))
