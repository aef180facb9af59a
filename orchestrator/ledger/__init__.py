"""What happened: studies, trials, attempts, reports. The only truth; the only part that knows the database."""

from orchestrator.ledger.errors import BadAddress, DuplicateConfig, LedgerAway, LedgerError, StudyExists, UnknownStudy
from orchestrator.ledger.holder import Holder
from orchestrator.ledger.lease import StudyHeld, StudyTaken
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.rows import Attempt, StudyRow

__all__ = [
    "Attempt",
    "BadAddress",
    "DuplicateConfig",
    "Holder",
    "Ledger",
    "LedgerAway",
    "LedgerError",
    "StudyExists",
    "StudyHeld",
    "StudyRow",
    "StudyTaken",
    "UnknownStudy",
]
