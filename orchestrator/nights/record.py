"""Keeps what a night did in a file of its own: which studies, as which files, with which turns and results."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Literal

from orchestrator.errors import InputMistake, NightsweepError
from orchestrator.home import NIGHTS
from orchestrator.nights.window import Night
from orchestrator.typed_command import beside

_FILE = "night.json"
_EARLY = 60.0  # seconds
INTERRUPTED = 130  # the exit code of a run that somebody stopped
INTERRUPTED_WHY = "interrupted"  # why a night ended that somebody stopped

State = Literal["waiting", "finished", "paused", "broken"]  # A study that is paused or waiting goes on another night.


@dataclass
class Standing:
    """Says how a study stands in the ledger. code: what changed of it, in words, and when by unix time."""

    status: str
    reason: str | None
    metric: str
    mode: str
    best: float | None
    trials: int  # that have ended
    gpu_seconds: float
    code: list[tuple[float, str]] = field(default_factory=list)


@dataclass
class TurnRecord:
    """Holds one turn. Times are unix times; seconds: as a clock counts that nothing sets. code: None while it runs."""

    began: float
    until: float
    seconds: float = 0.0
    code: int | None = None


@dataclass
class StudyRecord:
    """Holds one study of a night. file: as the night file has it. copy: the name of its copy beside the record."""

    file: str
    share: float
    name: str
    copy: str | None = None
    behind: float = 0.0  # when the night began
    state: State = "waiting"
    errors: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)  # since the night before
    turns: list[TurnRecord] = field(default_factory=list)
    before: Standing | None = None
    after: Standing | None = None

    @property
    def seconds(self) -> float:
        return sum(turn.seconds for turn in self.turns)

    @property
    def full_turns(self) -> list[TurnRecord]:
        """Returns the turns that it need not have again, as it must one that a reboot cut off, or a signal."""
        return [turn for turn in self.turns if turn.code is not None and turn.code >= 0]

    @property
    def came_early(self) -> bool:
        """Returns whether it came back from its last turn long before its end."""
        last = self.full_turns[-1] if self.full_turns else None
        return last is not None and last.began + last.seconds < last.until - _EARLY

    def is_open(self, end: float) -> bool:
        """Returns whether it may have a turn still. end: of the night's last turn.

        Whoever came back from a turn to the end of the night had all there was, and found nothing more to do in it.
        """
        if self.state in ("finished", "broken"):
            return False
        last = self.full_turns[-1] if self.full_turns else None
        return last is None or (last.code != INTERRUPTED and last.until < end)

    @property
    def owed(self) -> float:
        """Returns the seconds per share that it has had, counted on from what it brought along: less is owed more."""
        return self.behind + self.seconds / self.share


@dataclass
class Delivery:
    """Says whether the digest reached one address. variable: of the environment, which holds it. number: which of the
    addresses there, from 1. service: what apprise calls it; None where the variable holds no address. sent: unix time.
    error: why the last try failed."""

    variable: str
    number: int
    service: str | None = None
    tries: int = 0
    sent: float | None = None
    subject: str | None = None  # of what was sent
    error: str | None = None

    @property
    def target(self) -> str:
        """Writes `NIGHTSWEEP_NOTIFY (E-Mail)`, or `NIGHTSWEEP_NOTIFY, address 2 (Slack)`."""
        which = f", address {self.number}" if self.number > 1 else ""
        return f"{self.variable}{which}" + (f" ({self.service})" if self.service else "")


@dataclass
class NightRecord:
    """Holds one night. file: the night file. why: it ended; None while it goes on, and where it was cut off."""

    file: str
    day: str
    start: float
    end: float
    zone: str | None
    pid: int
    commit: str | None = None  # of the folder that `tune` was started in
    dirty: bool | None = None
    began: float = 0.0
    ended: float | None = None
    why: str | None = None
    studies: list[StudyRecord] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)


class NightFolder:
    """Holds the folder of one night file's nights: `nights/NAME` in a home, one folder a night below it."""

    def __init__(self, home: Path, night_file: Path, zone: tzinfo | None = None) -> None:
        self.path = home / NIGHTS / night_file.stem
        self._file, self._zone = night_file.absolute(), zone

    def night(self, start: float) -> Path:
        """Returns the folder of a night, named by its start in the window's time zone."""
        return self.path / datetime.fromtimestamp(start, self._zone).strftime("%Y-%m-%d-%H%M")

    def read(self, start: float) -> NightRecord | None:
        """Returns what a night has done so far; None before it began."""
        return _read(self.night(start) / _FILE)

    def last(self, before: float | None = None) -> NightRecord | None:
        """Returns the night that began last. before: a unix time that its start precedes."""
        found = [record for file in self.path.glob(f"*/{_FILE}") if (record := _read(file)) is not None]
        return max(
            (record for record in found if before is None or record.start < before),
            key=lambda record: (record.start, record.began),
            default=None,
        )

    def write(self, record: NightRecord) -> None:
        """Replaces the record of a night, whole or not at all."""
        folder = self.night(record.start)
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f".{_FILE}.new"
        with new.open("w", encoding="utf-8") as stream:
            json.dump(asdict(record), stream, indent=1, ensure_ascii=False)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, folder / _FILE)

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Holds the nights of this file. Raises InputMistake where another process does, or another file is meant.

        The kernel lets go of it when this process ends, whatever ends it.
        """
        self.check_file()
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path / "lease", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if not _lock(descriptor):
                pid = os.pread(descriptor, 20, 0).decode()
                raise InputMistake(
                    f"{self._file.name}: must be run by one process at a time, but process {pid} runs it; "
                    f"`{beside('nightly', 'status', self._file.name)}` says how it stands"
                )
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    @property
    def runner(self) -> int | None:
        """Returns the process that runs a night of this file now; None without one."""
        with suppress(OSError, ValueError):
            descriptor = os.open(self.path / "lease", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(os.pread(descriptor, 20, 0))
            finally:
                os.close(descriptor)
        return None

    def check_file(self) -> None:
        """Raises InputMistake where the folder has the nights of another file of that name."""
        last = self.last()
        if last is not None and Path(last.file) != self._file and Path(last.file).exists():
            raise InputMistake(
                f"{self._file}: must have a name of its own in this home, but {self.path} has the nights of "
                f"{last.file}; rename it, or give another --home"
            )


def record_of(night: Night, night_file: Path, zone: str | None, now: float) -> NightRecord:
    """Returns the record of a night that begins now."""
    return NightRecord(
        str(night_file.absolute()), night.day.isoformat(), night.start, night.end, zone, os.getpid(), began=now
    )


def _lock(descriptor: int) -> bool:
    """Takes the lock; returns whether that went. Whoever only looks whether it is held holds it for an instant."""
    for attempt in range(5):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.05 * attempt)
    return False


def _read(file: Path) -> NightRecord | None:
    """Returns the record in a file; None without one. Raises NightsweepError where it cannot be understood."""
    try:
        raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        studies = [_study(each) for each in raw.pop("studies")]
        deliveries = [Delivery(**each) for each in raw.pop("deliveries", [])]
        return NightRecord(**raw, studies=studies, deliveries=deliveries)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise NightsweepError(f"{file}: must be the record of a night, but: {error}; move its folder away") from error


def _study(raw: dict[str, Any]) -> StudyRecord:
    turns = [TurnRecord(**turn) for turn in raw.pop("turns")]
    before, after = (_standing(raw.pop(key)) for key in ("before", "after"))
    return StudyRecord(**raw, turns=turns, before=before, after=after)


def _standing(raw: dict[str, Any] | None) -> Standing | None:
    if raw is None:
        return None
    return Standing(**{**raw, "code": [(at, what) for at, what in raw["code"]]})
