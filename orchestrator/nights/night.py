"""Runs one night: gives turns to the studies of its queue until the window ends. The world is given to it."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.nights.record import (
    INTERRUPTED,
    INTERRUPTED_WHY,
    NightFolder,
    NightRecord,
    State,
    StudyRecord,
    TurnRecord,
)
from orchestrator.nights.turns import Over, Turn, Wait, Waiting, next_turn
from orchestrator.nights.world import World

POLL_SECONDS = 0.5
PAUSING_SECONDS = 10.0  # before the end of the window, in which a run pauses and writes its report
SAVE_SECONDS = 60.0  # The time of a turn that is cut off is known so closely.
WAIT_SECONDS = 10.0
MOST_DEATHS = 3  # A run that is killed goes on, so many times in a night.


class NightRun:
    """Runs a night to its end, and keeps its record."""

    def __init__(self, record: NightRecord, folder: NightFolder, world: World, say: Callable[[str], None]) -> None:
        self._record, self._folder, self._world, self._say = record, folder, world, say
        self._ends = record.end - PAUSING_SECONDS  # of the last turn
        self._told: set[str] = set()  # what was said already

    def run(self) -> None:
        """Returns when the window has ended, when nothing is left to do, or when this process was asked to stop."""
        record, world = self._record, self._world
        for study in record.studies:
            if study.before is None:
                study.before = study.after = world.standing(study.name)
            for line in study.errors:
                self._say(f"{study.name}: {line}")
        self._save()
        while not world.asked:
            move = next_turn([self._waiting(study) for study in record.studies], world.now(), self._ends)
            match move:
                case Over(why):
                    self._end(why)
                    return
                case Wait():
                    self._wait()
                case Turn(key, until):
                    self._turn(next(study for study in record.studies if study.file == key), until)
        self._end(INTERRUPTED_WHY)

    def _waiting(self, study: StudyRecord) -> Waiting:
        may = study.is_open(self._ends)
        busy = may and self._world.runner(study.name) is not None
        return Waiting(study.file, study.share, may, busy, len(study.full_turns), study.came_early, study.owed)

    def _wait(self) -> None:
        for study in self._record.studies:
            runner = self._world.runner(study.name) if study.is_open(self._ends) else None
            if runner is not None and runner not in self._told:
                self._told.add(runner)
                self._say(f"{study.name}: {runner} runs it; it has its turn when that has ended")
        self._world.sleep(WAIT_SECONDS)

    def _turn(self, study: StudyRecord, until: float) -> None:
        """Lets a study run until a unix time, or until it comes back by itself."""
        world = self._world
        turn = TurnRecord(world.now(), until)
        study.turns.append(turn)
        self._save()
        assert study.copy is not None  # A study without a copy is broken.
        process = world.start(study, self._folder.night(self._record.start) / study.copy, until)
        began = saved = world.steady()
        sent = 0
        while (code := process.code()) is None:
            world.sleep(POLL_SECONDS)
            turn.seconds = world.steady() - began
            if world.steady() - saved >= SAVE_SECONDS:
                saved = world.steady()
                self._save()
            while sent < world.asked:
                process.stop()
                sent += 1
        turn.seconds, turn.code = world.steady() - began, code
        study.after = world.standing(study.name)
        study.state = state_after(code, study)
        study.errors = process.errors() if code not in (0, INTERRUPTED) else []
        self._save()
        self._say(f"{study.name}: {said_of(study, code)}")

    def _end(self, why: str) -> None:
        self._record.ended, self._record.why = self._world.now(), why
        self._save()

    def _save(self) -> None:
        """Writes the record. A full disk costs the record, and not the night."""
        try:
            self._folder.write(self._record)
        except OSError as error:
            if "record" not in self._told:
                self._told.add("record")
                self._say(f"the record of the night cannot be written: {error}; the night goes on")


def state_after(code: int, study: StudyRecord) -> State:
    """Returns what a study is after a turn that ended with an exit code, which is among its turns."""
    if code in (0, INTERRUPTED):
        return "finished" if study.after is not None and study.after.status == "finished" else "paused"
    deaths = sum(turn.code is not None and turn.code < 0 for turn in study.turns)
    return "paused" if code < 0 and deaths < MOST_DEATHS else "broken"


def said_of(study: StudyRecord, code: int) -> str:
    """Says how a turn ended."""
    if study.state == "broken":
        last = study.errors[-1] if study.errors else "it said nothing on stderr"
        return f"broken: its run ended with {ending(code)}: {last}"
    if code < 0:
        return f"its run was ended by {ending(code)}; it goes on"
    reason = study.after.reason if study.after is not None else None
    return study.state + (f": {reason}" if reason else "")


def ending(code: int) -> str:
    """Writes `exit code 1`, or `signal 9`."""
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
