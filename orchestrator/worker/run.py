"""Makes the `run` that a trainable is given: its data, its device, its checkpoints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.checkpoints.manifest import CorruptCheckpoint
from orchestrator.checkpoints.open_storage import open_storage
from orchestrator.checkpoints.storage import newest_whole
from orchestrator.home import trial_directory
from orchestrator.job import Workplace
from orchestrator.worker.epoch_step import EpochStep, StepFile
from trainables import Trainable, load_trainable


def load(workplace: Workplace) -> Trainable:
    """Loads the study's trainable."""
    if workplace.search_path not in sys.path:
        sys.path.append(workplace.search_path)
    return load_trainable(workplace.trainable)


class WorkerRun:
    """Serves as the `run` of a trainable (trainables.Run)."""

    def __init__(self, workplace: Workplace, number: int, seed: int) -> None:
        self.data = workplace.data
        self.device = workplace.device
        self.seed = seed
        self.watch = workplace.watch
        self.checkpoint_dir: Path | None = None
        self.epoch = 0  # of the last report
        self.saved = False
        self._number = number
        self._step_file = StepFile(trial_directory(Path(workplace.study_directory), number))
        self._directory = trial_directory(Path(workplace.study_directory), number) / "files"
        self._storage = open_storage(workplace.storage, Path(workplace.study_directory))

    @property
    def directory(self) -> Path:
        """Returns a folder of the trial's own, which its attempts share; it is made when it is first asked for."""
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    def resume(self, epoch: int | None) -> tuple[str, ...]:
        """Goes on from the checkpoint of `epoch`, else from the newest whole one before it, else from the start.

        Returns why it is no later one, a line for each that was passed over. Raises StorageError.
        """
        self._storage.sweep(self._number)
        self._step_file.remove()  # of an attempt that was killed
        found = newest_whole(self._storage, self._number, epoch)
        self.checkpoint_dir, self.epoch = found.directory, found.epoch
        return found.passed_over

    @contextmanager
    def at(self, epoch: int) -> Iterator[WorkerRun]:
        """Goes on with exactly this checkpoint. Raises CorruptCheckpoint, StorageError."""
        try:
            self.checkpoint_dir, self.epoch = self._storage.read(self._number, epoch), epoch
            yield self
        except CorruptCheckpoint as corrupt:
            name = self._storage.address(self._number, epoch)
            raise CorruptCheckpoint(
                f"{name} is corrupt: {corrupt}; `tune best STUDY` writes its config to train it again"
            ) from corrupt
        finally:
            self.close()

    def close(self) -> None:
        self._step_file.remove()
        self._storage.release(self._number)

    def save_checkpoint(self, fill: Callable[[Path], None]) -> None:
        """Saves the state after the epoch that the next report is about. Raises StorageError."""
        self._storage.write(self._number, self.epoch + 1, fill)
        self.saved = True

    def tell_step(self, step: int, steps: int | None = None) -> None:
        """Tells whoever watches how far the epoch is; costs nothing but for a line once a second."""
        self._step_file.write(EpochStep(self.epoch + 1, step, steps))

    def reported(self) -> None:
        self.epoch += 1
        self.saved = False
