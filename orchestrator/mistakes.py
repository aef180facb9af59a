"""From what went wrong to what the user reads, and the exit code."""

from __future__ import annotations


class InputMistake(ValueError):
    """The user's input cannot be run as it is; each line says where, what must hold, what came, what to do."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = list(lines)


def explain(error: Exception) -> tuple[list[str], int]:
    """The lines for stderr and the exit code: 2 for mistakes of the user's, 1 for what failed. Raises what is a bug."""
    from orchestrator.checkpoints.manifest import CorruptCheckpoint
    from orchestrator.checkpoints.storage import StorageError
    from orchestrator.cluster.ray_process import RayUnavailable
    from orchestrator.ledger import BadAddress, LedgerError, StudyHeld, UnknownStudy
    from orchestrator.problem import InvalidFile
    from orchestrator.tracking.store import TrackingError
    from trainables import UnknownTrainable

    if isinstance(error, (InputMistake, InvalidFile)):
        return error.lines, 2
    if isinstance(error, (BadAddress, StudyHeld, UnknownStudy, UnknownTrainable)):
        return [str(error)], 2
    if isinstance(error, (LedgerError, RayUnavailable, TrackingError, StorageError, CorruptCheckpoint)):
        return [str(error)], 1
    if isinstance(error, OSError):  # a full disk, a folder that cannot be written
        return [f"{error.filename or 'the system'}: {error.strerror or error}"], 1
    raise error
