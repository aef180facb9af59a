"""Looks into the ledger of another home, without opening it as ours."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

_PATIENCE_SECONDS = 5.0


def holds_study(file: Path, uid: str) -> bool:
    """Returns whether there is a SQLite ledger with that study; False also where it cannot be read."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_SECONDS)
        ) as ledger:
            return ledger.execute("SELECT 1 FROM studies WHERE uid = ?", (uid,)).fetchone() is not None
    except (sqlite3.Error, OSError):
        return False
