"""Checks a start before it costs anything, for `tune check` and `tune run`: file, machine, ledger, data."""

from orchestrator.preflight.data_check import due, examine_apart
from orchestrator.preflight.preflight import Start, check_before_start, collecting, examine

__all__ = ["Start", "check_before_start", "collecting", "due", "examine", "examine_apart"]
