"""Is what a night needs of this machine: clocks, signals, a process for each `tune run`, the home's ledger."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import psutil

from orchestrator.errors import NightsweepError
from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.ledger.errors import UnknownStudy
from orchestrator.ledger.lease import process_start
from orchestrator.moment import until as end_of
from orchestrator.nights.record import Standing, StudyRecord
from orchestrator.stop_signals import stop_signals
from orchestrator.study.code_change import changes_of, sentence
from orchestrator.trial import State, best_trial
from tune.attach import lease_of
from tune.detached import own_program

_LAST_LINES = 5  # of stderr


class Signals:
    """Counts how often this process was asked to stop, by Ctrl-C or SIGTERM."""

    def __init__(self) -> None:
        self.asked = 0
        self._event = threading.Event()

    def handle(self, number: int, frame: Any) -> None:
        self.asked += 1
        self._event.set()

    def wait(self, seconds: float) -> None:
        """Returns after so long, or at once when one comes."""
        self._event.wait(seconds)
        self._event.clear()


@contextmanager
def signals_counted() -> Iterator[Signals]:
    signals = Signals()
    with stop_signals(signals.handle):
        yield signals


def machine_began() -> float:
    """Returns the unix time at which this machine was started; in a container, the container."""
    return psutil.boot_time() + (process_start(1) or 0.0)


class Machine:
    """Is the world of a night: this machine's clocks and processes, and the home's ledger."""

    def __init__(
        self,
        home: Home,
        signals: Signals,
        zone: tzinfo | None,
        say: Callable[[str], None],
        hidden: Collection[str] = (),
    ) -> None:
        """Keeps what it is given. hidden: variables of the environment that no run, nor the code in it, is to see."""
        self._home, self._signals, self._zone, self.say = home, signals, zone, say
        self._environment = {name: value for name, value in os.environ.items() if name not in hidden}

    @property
    def asked(self) -> int:
        return self._signals.asked

    def now(self) -> float:
        return time.time()

    def steady(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        self._signals.wait(seconds)

    def standing(self, study: str) -> Standing | None:
        return self._read(study, standing_of)

    def runner(self, study: str) -> str | None:
        return self._read(study, lambda ledger, row: None if (lease := lease_of(row)) is None else str(lease))

    def start(self, study: StudyRecord, file: Path, until: float) -> TuneRun:
        self.say(f"{study.name}: its turn, {end_of(until, self.now(), self._zone)}")
        ends = datetime.fromtimestamp(until, UTC).isoformat("T", "seconds")
        words = [*own_program(), "run", str(file), "--until", ends, "--home", str(self._home.path)]
        return TuneRun(words, self._home, file, study.file, self._environment)

    def _read(self, study: str, read: Callable[[Ledger, StudyRow], Any]) -> Any:
        """Reads something of a study; None where it has not begun. A ledger that is away costs the answer alone."""
        if not self._home.has_ledger:
            return None
        try:
            with closing(Ledger(self._home.ledger)) as ledger:
                return read(ledger, ledger.study(study))
        except UnknownStudy:
            return None
        except NightsweepError as error:
            self.say(f"{study}: {error.lines[0]}")
            return None


class TuneRun:
    """Is a `tune run` in a session of its own, so that a Ctrl-C reaches it once, from here."""

    def __init__(self, words: list[str], home: Home, copy: Path, file: str, environment: Mapping[str, str]) -> None:
        """Starts it. copy: the study file that it runs. file: the one that the user knows, for what it says of it."""
        self._copy, self._file = str(copy), file
        log, self._errors = copy.with_suffix(".log"), copy.with_suffix(".stderr")
        environment = dict(environment)
        if home.shared is not None:  # It may hold a password, which no command line may show.
            environment["NIGHTSWEEP_LEDGER"] = str(home.ledger)
        with log.open("ab") as out, self._errors.open("wb") as err:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True, env=environment
            )

    def code(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()

    def errors(self) -> list[str]:
        text = self._errors.read_text(encoding="utf-8", errors="replace") if self._errors.exists() else ""
        lines = text.replace(self._copy, self._file).splitlines()
        return [line for line in lines if line.strip()][-_LAST_LINES:]


def standing_of(ledger: Ledger, row: StudyRow) -> Standing:
    """Returns how a study stands."""
    trials = ledger.trials(row.id)
    best, objective = best_trial(trials, row.objective), row.objective
    ended = sum(trial.state in (State.COMPLETED, State.PRUNED, State.FAILED) for trial in trials)
    return Standing(
        row.status,
        row.reason,
        objective.metric,
        objective.mode,
        None if best is None else best.value(objective),
        ended,
        ledger.gpu_seconds(row.id),
        code=[(change.at, sentence(change)) for change in changes_of(row.facts)],
    )
