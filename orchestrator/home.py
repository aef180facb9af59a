"""Where things lie: the home folder, its ledger, its studies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """`./runs` unless --home or NIGHTSWEEP_HOME names another folder."""

    path: Path  # absolute

    @staticmethod
    def at(path: str | Path) -> Home:
        return Home(Path(path).expanduser().absolute())

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.db"

    def study(self, name: str) -> Path:
        return self.path / name

    def report(self, name: str) -> Path:
        return self.study(name) / "report"

    def shown(self, path: Path) -> str:
        """`path` as a user would type it: relative to the current folder where it lies below it."""
        current = Path.cwd()
        return str(path.relative_to(current)) if path.is_relative_to(current) else str(path)
