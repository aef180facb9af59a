"""Says where things lie: the home folder, its ledger, its studies."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InputMistake
from orchestrator.mistake import shown
from orchestrator.secret import mask_addresses

TRASH = "trash"  # the folder of a home for what `tune delete` takes away
NIGHTS = "nights"  # the folder of a home for what `tune nightly` did
_PREFIX = "epoch-"

_DATABASES = ("ledger.db", "mlflow.db")  # with what SQLite puts beside them: ledger.db-wal


def is_own(name: str) -> bool:
    """Returns whether that is the name of something else in a home than a study."""
    return name in ("check", "mlartifacts", TRASH, NIGHTS) or name.startswith(_DATABASES)


@dataclass(frozen=True)
class Home:
    """Names the folder of everything: `./runs` unless --home or NIGHTSWEEP_HOME names another.

    shared: the ledger that --ledger or NIGHTSWEEP_LEDGER names, a URL or a file; None: `ledger.db` in the folder.
    """

    path: Path  # absolute
    shared: str | None = None

    @staticmethod
    def at(path: str | Path, ledger: str | None = None) -> Home:
        return Home(Path(path).expanduser().absolute(), ledger or None)

    @staticmethod
    def of_ledger(ledger: str | Path) -> Home:
        """Returns the home whose ledger that is."""
        if "://" not in str(ledger) and Path(ledger).name == "ledger.db":
            return Home.at(Path(ledger).parent)
        return Home(Home.usual().path, str(ledger))

    @staticmethod
    def usual() -> Home:
        """Returns the home of a command without --home and --ledger."""
        return Home.at(os.environ.get("NIGHTSWEEP_HOME") or "runs", os.environ.get("NIGHTSWEEP_LEDGER"))

    @property
    def options(self) -> tuple[str, ...]:
        """Returns what a command must have to find this home: `--home DIR`, `--ledger URL`, or nothing."""
        usual = Home.usual()
        home = () if self.path == usual.path else ("--home", self.shown(self.path))
        return home if self.named_ledger is None else (*home, "--ledger", self.named_ledger)

    @property
    def named_ledger(self) -> str | None:
        """Returns what --ledger must be given for this home, a password masked; None where it finds its own ledger."""
        if self.shared is None or self.ledger == Home.usual().ledger:
            return None
        return mask_addresses(self.shared)

    @property
    def ledger(self) -> str | Path:
        """Returns a file, or the URL of a server, which may hold a password."""
        if self.shared is None:
            return self.path / "ledger.db"
        return self.shared if "://" in self.shared else Path(self.shared).expanduser().absolute()

    @property
    def has_ledger(self) -> bool:
        """Returns whether there is one already. A server's is taken to be there: it shows when it is opened."""
        return not isinstance(self.ledger, Path) or self.ledger.exists()

    def study(self, name: str) -> Path:
        """Raises InputMistake for a name that leads elsewhere: a team's ledger may hold what others wrote."""
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise InputMistake(f"must be the name of a study, but got {shown(name)}; try `tune list`")
        return self.path / name

    def trash(self, name: str) -> Path:
        """Returns where the folder of a deleted study lies."""
        return self.path / TRASH / self.study(name).name

    def report(self, name: str, lang: str = "en") -> Path:
        """Returns the folder of a study's report; each language has its own."""
        return self.study(name) / _in_language("report", lang)

    def side_by_side(self, first: str, lang: str = "en") -> Path:
        """Returns the folder for the report of several studies: the first one's own stays as it is."""
        return self.study(first) / _in_language("side-by-side", lang)

    def shown(self, path: Path) -> str:
        """Returns `path` as a user would type it: relative to the current folder where it lies below it."""
        current = Path.cwd()
        return str(path.relative_to(current)) if path.is_relative_to(current) else str(path)


def _in_language(folder: str, lang: str) -> str:
    return folder if lang == "en" else f"{folder}-{lang}"


def trial_directory(study_directory: Path, number: int) -> Path:
    return study_directory / "trials" / f"{number:04d}"


def epoch_directory(trial_dir: Path, epoch: int) -> Path:
    return trial_dir / "checkpoint" / f"{_PREFIX}{epoch:04d}"


def epoch_of(name: str) -> int | None:
    """Returns the epoch of a checkpoint's folder; None for a name that is none."""
    epoch = name.removeprefix(_PREFIX)
    return int(epoch) if name.startswith(_PREFIX) and epoch.isdecimal() else None
