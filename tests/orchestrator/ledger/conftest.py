"""Provides an empty ledger in each kind of database that is installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.ledger import Ledger


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """Returns a ledger that is closed after the test."""
    ledger = Ledger(ledger_url)
    yield ledger
    ledger.close()
