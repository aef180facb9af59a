"""Runs a night file's window for the command: each study as a `tune run` of its own; says how it went."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path

from orchestrator.errors import InputMistake, NightsweepError
from orchestrator.home import Home
from orchestrator.machine.provenance import git
from orchestrator.moment import moment, until
from orchestrator.nights.delivery import variables
from orchestrator.nights.night import NightRun
from orchestrator.nights.night_file import NightFile, load_night_file
from orchestrator.nights.queue import open_night
from orchestrator.nights.record import INTERRUPTED_WHY, NightFolder
from orchestrator.nights.starting import has_to_begin
from orchestrator.nights.window import Night
from orchestrator.time_of_day import moment_of
from orchestrator.typed_command import typed
from tune.night_digest import digest
from tune.night_install import installed
from tune.night_machine import Machine, machine_began, signals_counted
from tune.night_message import NightPost, delivery_lines
from tune.run_output import RunOutput
from tune.show import say

LOOK_SECONDS = 30.0  # A machine that slept through the start of a night sees it so soon after it woke.


def run_nights(
    night_file: NightFile, home: Home, *, wait: bool = False, until_text: str | None = None, scheduled: bool = False
) -> int:
    """Runs the present window, or says when the next one begins; returns the exit code.

    wait: waits for it. until_text: HH:MM at which a night ends that begins now, whatever the window says. scheduled: a
    timer starts it, perhaps more than once a night: without a word where nothing is to be done.
    """
    zone = night_file.window.zone
    folder = NightFolder(home.path, night_file.path, zone)
    with signals_counted() as signals:
        world = Machine(home, signals, zone, say, variables(night_file.notify, os.environ))
        present = night_file.window.present(world.now()) if until_text is None else _now_until(until_text, world.now())
        if scheduled and not _is_due(folder, present):
            return 0
        if present is None and not wait:
            upcoming = night_file.window.upcoming(world.now())
            say(f"{night_file.path.name}: it is day; the next night begins {_begins(upcoming, world.now(), zone)}")
            say(f"--wait waits for it, --until HH:MM begins one now; its studies: {_names(night_file)}")
            if folder.runner is None:
                NightPost(night_file, folder, world, say).send_owed(None)
            return 0
        with folder.lease():
            present = present or _wait(night_file, world)
            return 130 if present is None else _run(night_file, present, folder, world)


def run_every_night(night_file: NightFile, home: Home) -> int:
    """Runs every night until this process is asked to stop; returns the exit code.

    The night file is read again before each night. Where it has become wrong, the nights go on with what it said.
    """
    told: set[str] = set()

    def tell(line: str) -> None:
        if line not in told:
            told.add(line)
            say(line)

    with signals_counted() as signals, NightFolder(home.path, night_file.path).lease():
        last = -math.inf  # the start of the night that was run; its record may be missing on a full disk
        waited: Night | None = None
        while not signals.asked:
            night_file = _again(night_file, tell)
            zone = night_file.window.zone
            folder = NightFolder(home.path, night_file.path, zone)
            world = Machine(home, signals, zone, say, variables(night_file.notify, os.environ))
            present = night_file.window.present(world.now())
            if present is not None and present.start > last and has_to_begin(folder.read(present.start), math.inf):
                last = present.start
                told.clear()
                _run(night_file, present, folder, world)
                continue
            waited = _rest(night_file, world, waited)
    return 130


def _again(night_file: NightFile, tell: Callable[[str], None]) -> NightFile:
    """Reads a night file again; returns what it said before where it is wrong, after telling why."""
    try:
        return load_night_file(night_file.path)
    except NightsweepError as error:
        for line in error.lines:
            tell(line)
        tell(f"{night_file.path.name}: the nights go on with what it said before")
        return night_file


def _is_due(folder: NightFolder, present: Night | None) -> bool:
    """Returns whether a timer's start has anything to do."""
    if present is None or folder.runner is not None:
        return False
    return has_to_begin(folder.read(present.start), machine_began())


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
        post = NightPost(night_file, folder, world, tell)
        post.send_owed(night)
        post.say_what_is_missing()
        record = open_night(night_file, night, folder, None if zone is None else str(zone), world.now())
        found = git(Path.cwd())
        record.pid, record.commit, record.dirty = os.getpid(), found["git_commit"], found["git_dirty"]
        NightRun(record, folder, world, tell).run()
        upcoming = _begins(night_file.window.upcoming(world.now()), world.now(), zone)
        lines = digest(record, folder.last(before=record.start), zone, world.now())
        for line in lines:
            say(line)
        if record.why != INTERRUPTED_WHY:
            post.send(record, [*lines, f"next: {upcoming}"])
        say(f"next: {upcoming}, by the same command")
    if record.why == INTERRUPTED_WHY:
        return 130
    return int(any(study.state == "broken" for study in record.studies))


def _wait(night_file: NightFile, world: Machine) -> Night | None:
    """Returns the next night once it has begun, however late; None where this process was asked to stop."""
    waited: Night | None = None
    while not world.asked:
        present = night_file.window.present(world.now())
        if present is not None:
            return present
        waited = _rest(night_file, world, waited)
    return None


def _rest(night_file: NightFile, world: Machine, told: Night | None) -> Night:
    """Sleeps for a while, at most until the next night, and returns it. told: what was said to be waited for."""
    upcoming = night_file.window.upcoming(world.now())
    if upcoming != told:
        say(f"{night_file.path.name}: waiting for {_begins(upcoming, world.now(), night_file.window.zone)}")
    world.sleep(min(LOOK_SECONDS, max(0.0, upcoming.start - world.now())))
    return upcoming


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
    say(installed(night_file.path))
    if last is None:
        say("no night of this file has begun yet in this home")
        return
    runs = runner is not None and last.ended is None
    for line in digest(last, folder.last(before=last.start), zone, now, runs=runs):
        say(line)
    for line in delivery_lines(last, now, zone, night_file.path.name):
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
