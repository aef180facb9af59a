"""Is the world of a night without time passing: a clock, studies that learn by it, and what goes wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from orchestrator.nights.night import NightRun
from orchestrator.nights.night_file import NightFile, load_night_file
from orchestrator.nights.queue import open_night
from orchestrator.nights.record import NightFolder, NightRecord, Standing, StudyRecord

BERLIN = ZoneInfo("Europe/Berlin")
STUDY = """\
study: {name}
trainable: tests.toy
objective: {{metric: val/score, mode: max}}
space: {{lr: {{low: 0.1, high: 0.9}}, epochs: 4}}
budget: {{trials: {trials}}}
"""


class Reboot(Exception):
    """Ends the world in the middle of a night."""


@dataclass
class FakeStudy:
    """Learns for `hours` in all, in epochs of so many seconds. A run that begins may be told how to end instead."""

    hours: float
    epoch: float = 300.0
    learnt: float = 0.0  # seconds
    fails: list[tuple[int, str]] = field(default_factory=list)  # exit code and stderr of the next runs
    runner: tuple[str, float] | None = None  # somebody else's process, and the unix time at which it ends
    code_changes: list[tuple[float, str]] = field(default_factory=list)
    runs: list[tuple[float, float, int]] = field(default_factory=list)  # begin, end, exit code


class FakeRun:
    def __init__(self, world: FakeWorld, study: FakeStudy, until: float) -> None:
        self.world, self.study, self.until = world, study, until
        self.began = world.at
        self.end, self.exit, self.said = self._outcome()
        self.stops = 0
        self.counted = False

    def _outcome(self) -> tuple[float, int, list[str]]:
        if self.study.fails:
            code, said = self.study.fails.pop(0)
            return self.began + 5, code, said.splitlines()
        done = self.began + 3600 * self.study.hours - self.study.learnt
        report = self.began
        while report < min(self.until, done):
            report += self.study.epoch
        return min(report, max(done, self.began)) + 1, 0, []

    def code(self) -> int | None:
        if self.world.at < self.end:
            return None
        if not self.counted:
            self.counted = True
            self.study.runs.append((self.began, self.end, self.exit))
            self.study.learnt += self.end - self.began if self.exit == 0 else 0
        return self.exit

    def stop(self) -> None:
        self.stops += 1
        self.end, self.exit = min(self.end, self.world.at + self.study.epoch), 130

    def errors(self) -> list[str]:
        return self.said


class FakeWorld:
    """Passes time in large steps. `at` is unix time as it passes; `shift` is by how much the wall clock is wrong."""

    def __init__(self, folder: Path, window: str, studies: dict[str, tuple[float, FakeStudy]]) -> None:
        self.folder, self.at, self.shift, self.asked = folder, 0.0, 0.0, 0
        self.studies = {name: study for name, (_, study) in studies.items()}
        self.events: list[tuple[float, Callable[[], None]]] = []
        self.running: FakeRun | None = None
        self.said: list[str] = []
        queue = "".join(f"  - {{file: {name}.yaml, share: {share}}}\n" for name, (share, _) in studies.items())
        (folder / "night.yaml").write_text(f"window: {window}\nstudies:\n{queue}")
        for name in studies:
            self.write(name)

    def write(self, name: str, trials: int = 40) -> None:
        (self.folder / f"{name}.yaml").write_text(STUDY.format(name=name, trials=trials))

    @property
    def file(self) -> NightFile:
        return load_night_file(self.folder / "night.yaml")

    @property
    def nights(self) -> NightFolder:
        return NightFolder(self.folder / "runs", self.folder / "night.yaml", BERLIN)

    def night(self, at: datetime | None = None) -> NightRecord:
        """Runs the present night, as the command does; returns its record. at: the time of the command."""
        self.at = self.at if at is None else at.timestamp() - self.shift
        file = self.file
        present = file.window.present(self.now())
        assert present is not None
        with self.nights.lease():
            record = open_night(file, present, self.nights, None, self.now())
            NightRun(record, self.nights, self, self.said.append).run()
        kept = self.nights.read(present.start)
        assert kept == record
        return record

    # What a night needs of its world

    def now(self) -> float:
        return self.at + self.shift

    def steady(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        ends = [] if self.running is None or self.running.code() is not None else [self.running.end]
        ends += [at for at, _ in self.events]
        self.at += max(seconds, min([600.0, *(end - self.at for end in ends)]))
        for event in [event for event in self.events if event[0] <= self.at]:
            self.events.remove(event)
            event[1]()

    def standing(self, study: str) -> Standing | None:
        found = self.studies[study]
        if not found.learnt:
            return None
        status = "finished" if found.learnt >= 3600 * found.hours else "paused"
        best = round(found.learnt / 3600 / found.hours, 3)
        trials = int(found.learnt // 3600)
        return Standing(status, None, "val/score", "max", best, trials, found.learnt, code=found.code_changes)

    def runner(self, study: str) -> str | None:
        found = self.studies[study].runner
        return found[0] if found is not None and self.at < found[1] else None

    def start(self, study: StudyRecord, file: Path, until: float) -> FakeRun:
        assert file.read_text().startswith(f"# {self.folder / study.file}, as it was")
        self.running = FakeRun(self, self.studies[study.name], until - self.shift)
        return self.running
