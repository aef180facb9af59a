"""The checkpoints of a study that are there, and what a user types to name one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.checkpoints.manifest import CorruptCheckpoint
from orchestrator.checkpoints.open_storage import storage_at
from orchestrator.checkpoints.retention import best_saved_epoch
from orchestrator.checkpoints.storage import Sizes, Storage, StorageError, storage_address
from orchestrator.home import Home
from orchestrator.trial import Objective, Trial


@dataclass(frozen=True)
class Inventory:
    """problem: why they cannot be looked at, if they cannot."""

    home: Home
    storage: Storage
    sizes: Sizes
    problem: str | None = None

    @staticmethod
    def of(raw: Mapping[str, Any], uid: str, name: str, home: Home) -> Inventory:
        """raw, uid, name: of the study, as the ledger has them."""
        storage = storage_at(storage_address(raw, uid), home.study(name))
        try:
            return Inventory(home, storage, storage.sizes())
        except StorageError as error:
            return Inventory(home, storage, {}, str(error))

    @property
    def count(self) -> int:
        return sum(map(len, self.sizes.values()))

    @property
    def bytes(self) -> int:
        return sum(size for epochs in self.sizes.values() for size in epochs.values())

    def shown(self, trial: Trial, objective: Objective) -> str | None:
        """The folder or URL of the best epoch's checkpoint among those there; None without one."""
        epoch = self.best_epoch(trial, objective)
        if epoch is None:
            return None
        name = self.storage.shown(trial.number, epoch)
        return name if "://" in name else self.home.shown(Path(name))

    def checked(self, trial: Trial, objective: Objective) -> tuple[str | None, str | None]:
        """The same, seen to be whole; or None, and what is wrong."""
        epoch, name = self.best_epoch(trial, objective), self.shown(trial, objective)
        if epoch is None:
            return None, self.problem
        try:
            self.storage.check(trial.number, epoch)
        except (CorruptCheckpoint, StorageError) as error:
            return None, f"the checkpoint {name} cannot be used: {error}"
        return name, None

    def best_epoch(self, trial: Trial, objective: Objective) -> int | None:
        return best_saved_epoch(trial, objective, self.sizes.get(trial.number, {}))
