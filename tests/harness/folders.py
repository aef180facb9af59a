"""Names the folders of the repository and of the real data."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("NIGHTSWEEP_DATA") or REPOSITORY.parent / "shared" / "data")
