"""What happened: studies, trials, attempts, reports. The only truth; the only part that knows the database."""

from orchestrator.ledger.ledger import (
    Attempt,
    DuplicateConfig,
    Holder,
    Ledger,
    LedgerError,
    StudyExists,
    StudyHeld,
    StudyRow,
    UnknownStudy,
)

__all__ = [
    "Attempt",
    "DuplicateConfig",
    "Holder",
    "Ledger",
    "LedgerError",
    "StudyExists",
    "StudyHeld",
    "StudyRow",
    "UnknownStudy",
]
