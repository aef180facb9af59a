"""Says where the checkpoint of a trial lies, for a tag of its run, without asking the storage of an object store."""

from __future__ import annotations

from pathlib import Path

from orchestrator.checkpoints.open_storage import open_storage
from orchestrator.checkpoints.retention import best_saved_epoch, epochs_to_keep
from orchestrator.checkpoints.storage import storage_address
from orchestrator.home import Home
from orchestrator.ledger import StudyRow
from orchestrator.trial import Trial


class Checkpoints:
    """Names the checkpoints of one study."""

    def __init__(self, row: StudyRow, home: Path) -> None:
        self._objective = row.objective
        self._storage = open_storage(storage_address(row.raw, row.uid), Home.at(home).study(row.name))

    def of(self, trial: Trial, best: int) -> str:
        """Returns the folder or URL of the trial's best kept checkpoint; "" where none is kept.

        trial: with its reports. best: the number of the study's best trial, whose checkpoint is kept in any case. What
        is kept follows from the same rule by which it is deleted; a folder is looked for, because a quota may have
        taken it.
        """
        saved = [report.epoch for report in trial.reports if report.checkpoint]
        kept = epochs_to_keep(trial, self._objective, saved, winner=trial.number == best)
        epoch = best_saved_epoch(trial, self._objective, kept)
        if epoch is None:
            return ""
        address = self._storage.address(trial.number, epoch)
        return address if "://" in address or Path(address).exists() else ""
