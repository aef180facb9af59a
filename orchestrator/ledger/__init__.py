"""Keeps what happened: studies, trials, attempts, reports. The only truth; the only part that knows the database."""

from orchestrator.ledger.errors import BadAddress, DuplicateConfig, LedgerAway, LedgerError, StudyExists, UnknownStudy
from orchestrator.ledger.lease import Lease
from orchestrator.ledger.lease_table import LeaseLost, StudyInUse
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.rows import Attempt, MoreTrials, StudyRow
from orchestrator.ledger.step_table import StepTable

__all__ = [
    "Attempt",
    "BadAddress",
    "DuplicateConfig",
    "Lease",
    "LeaseLost",
    "Ledger",
    "LedgerAway",
    "LedgerError",
    "MoreTrials",
    "StepTable",
    "StudyExists",
    "StudyInUse",
    "StudyRow",
    "UnknownStudy",
]
