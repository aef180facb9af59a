"""Runs a night file's window for the command: each study as a `tune run` of its own; says how it went."""

from __future__ import annotations

import os
import socket
import time
from datetime import datetime, tzinfo
from pathlib import Path

from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.machine.provenance import git
from orchestrator.moment import moment, until
from orchestrator.nights.night import NightRun
from orchestrator.nights.night_file import NightFile
from orchestrator.nights.queue import open_night
from orchestrator.nights.record import NightFolder
from orchestrator.nights.window import Night
from orchestrator.time_of_day import moment_of
from orchestrator.typed_command import typed
from tune.night_digest import digest
from tune.night_machine import Machine, signals_counted
from tune.run_output import RunOutput
from tune.show import say

LOOK_SECONDS = 30.0  # A machine that slept through the start of a night sees it so soon after it woke.


def run_nights(night_file: NightFile, home: Home, *, wait: bool, until_text: str | None) -> int:
    """Runs the present window, or says when the next one begins; returns the exit code.

    wait: waits for it. until_text: HH:MM at which a night ends that begins now, whatever the window says.
    """
    zone = night_file.window.zone
    folder = NightFolder(home.path, night_file.path, zone)
    with signals_counted() as signals:
        world = Machine(home, signals, zone, say)
        present = night_file.window.present(world.now()) if until_text is None else _now_until(until_text, world.now())
        if present is None and not wait:
            upcoming = night_file.window.upcoming(world.now())
            say(f"{night_file.path.name}: it is day; the next night begins {_begins(upcoming, world.now(), zone)}")
            say(f"--wait waits for it, --until HH:MM begins one now; its studies: {_names(night_file)}")
            return 0
        with folder.lease():
            present = present or _wait(night_file, world)
            return 130 if present is None else _run(night_file, present, folder, world)


def _run(night_file: NightFile, night: Night, folder: NightFolder, world: Machine) -> int:
    """Runs one night and prints its digest; returns the exit code: 1 where a study is broken."""
    zone = night_file.window.zone
    heading = f"{typed()}   process {os.getpid()} on {socket.gethostname()}"
    file = folder.night(night.start) / "night.log"
    with RunOutput(file, heading, f"the night goes on; what it says is in {file}") as output:
        output.begin_log()
        output.end_of_views()

        def tell(line: str) -> None:
            say(f"{datetime.fromtimestamp(world.now(), zone):%H:%M:%S}  {line}")

        tell(f"{night_file.path.name}: {until(night.end, world.now(), zone)}; studies: {_names(night_file)}")
        world.say = tell
        record = open_night(night_file, night, folder, None if zone is None else str(zone), world.now())
        found = git(Path.cwd())
        record.pid, record.commit, record.dirty = os.getpid(), found["git_commit"], found["git_dirty"]
        NightRun(record, folder, world, tell).run()
        for line in digest(record, folder.last(before=record.start), zone, world.now()):
            say(line)
        upcoming = night_file.window.upcoming(world.now())
        say(f"next: {_begins(upcoming, world.now(), zone)}, by the same command")
    if record.why == "interrupted":
        return 130
    return int(any(study.state == "broken" for study in record.studies))


def _wait(night_file: NightFile, world: Machine) -> Night | None:
    """Returns the next night once it has begun, however late; None where this process was asked to stop."""
    told = None
    while not world.asked:
        present = night_file.window.present(world.now())
        if present is not None:
            return present
        upcoming = night_file.window.upcoming(world.now())
        if upcoming != told:
            told = upcoming
            say(f"{night_file.path.name}: waiting for {_begins(upcoming, world.now(), night_file.window.zone)}")
        world.sleep(min(LOOK_SECONDS, max(0.0, upcoming.start - world.now())))
    return None


def show_status(night_file: NightFile, home: Home) -> None:
    """Prints when the next night begins, what runs now, and how the last one went."""
    zone, now = night_file.window.zone, time.time()
    folder = NightFolder(home.path, night_file.path, zone)
    present, upcoming = night_file.window.present(now), night_file.window.upcoming(now)
    last, runner = folder.last(), folder.runner
    if present is not None:
        goes = "nothing runs it" if runner is None else f"process {runner} runs it"
        say(f"{night_file.path.name}: the present window lasts {until(present.end, now, zone)}; {goes}")
    elif runner is not None:
        say(f"{night_file.path.name}: process {runner} waits for the next window, or runs another one now")
    say(f"next: {_begins(upcoming, now, zone)}; studies: {_names(night_file)}")
    if last is None:
        say("no night of this file has begun yet in this home")
        return
    runs = runner is not None and last.ended is None
    for line in digest(last, folder.last(before=last.start), zone, now, runs=runs):
        say(line)
    say(f"log: {home.shown(folder.night(last.start) / 'night.log')}")


def _begins(night: Night, now: float, zone: tzinfo | None) -> str:
    """Writes `Sat 22:00, until Sun 07:00`."""
    return f"{moment(night.start, now, zone)}, until {moment(night.end, now, zone)}"


def _names(night_file: NightFile) -> str:
    return ", ".join(study.file for study in night_file.studies)


def _now_until(text: str, now: float) -> Night:
    """Returns a night that begins now. Raises InputMistake."""
    try:
        end = moment_of(text, now)
    except ValueError as error:
        raise InputMistake(f"--until: {error}") from error
    if end <= now:
        raise InputMistake(f"--until: must be a moment to come, but got {text!r}")
    return Night(datetime.fromtimestamp(now).date(), now, end)
