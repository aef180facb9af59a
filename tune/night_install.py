"""Has the nights of a file started by systemd or cron, ends that, and says how it stands."""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path

from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.moment import moment
from orchestrator.nights.launcher import Launcher, kept
from orchestrator.nights.night_file import NightFile
from orchestrator.nights.record import NightFolder
from orchestrator.secret import mask_addresses
from orchestrator.typed_command import beside
from tune.detached import own_program
from tune.night_timers import Cron, Systemd, Timer
from tune.show import say

SECRETS = Path("~/.config/nightsweep/environment")
_LOG = "timer.log"  # what a timer's starts print, in the folder of the nights


def install(night_file: NightFile, home: Home, *, dry_run: bool) -> None:
    """Has the nights started from now on, in the place of what was installed for this file. Raises InputMistake.

    dry_run: only prints what would be written.
    """
    file, folder = night_file.path.absolute(), NightFolder(home.path, night_file.path)
    for path in (file, home.path, Path.cwd()):
        if not str(path).isprintable():
            raise InputMistake(f"{str(path)!r}: must be a path without control characters; rename it")
    folder.check_file()
    there = [timer for timer in timers(file) if timer.is_there()]
    if not there:
        raise InputMistake(
            f"tune nightly install: must have a systemd of this user or the command crontab, but neither is here; "
            f"`{beside('nightly', night_file.path.name, '--daemon')}` runs every night for as long as it lives"
        )
    timer, launcher = there[0], folder.path / f"{_name(file)}.sh"
    script = launcher_of(file, home, folder.path / _LOG).script()
    if dry_run:
        for where, text in {str(launcher): script, **timer.planned(night_file, launcher)}.items():
            say(f"would write {where}:")
            print(text)
        return
    folder.path.mkdir(parents=True, exist_ok=True)
    launcher.write_bytes(os.fsencode(script))
    timer.install(night_file, launcher)
    for other in timers(file):
        if other != timer and other.has_it():
            other.uninstall()
    now, upcoming = time.time(), night_file.window.upcoming(time.time())
    say(f"{night_file.path.name}: installed: {timer.title}; `{timer.see}` shows it")
    say(f"next: {moment(upcoming.start, now, night_file.window.zone)}; by day a start ends without a word")
    say(f"it runs {home.shown(launcher)}; what that prints is added to {home.shown(folder.path / _LOG)}")
    if night_file.window.present(now) is not None:
        say("the present window has begun: it is run from the next start on, within the hour")
    for line in (*_secrets_said(home), *timer.warnings()):
        say(f"note: {line}")


def uninstall(path: Path, home: Home, *, dry_run: bool) -> None:
    """Has the nights of a file started no more, whether the file is there or not. A night that runs goes on."""
    file, folder = path.absolute(), NightFolder(home.path, path)
    found = [timer for timer in timers(file) if timer.has_it()]
    for timer in found:
        if not dry_run:
            timer.uninstall()
        say(f"{path.name}: {'would be removed' if dry_run else 'removed'}: {timer.title}; `{timer.see}` shows the rest")
    if not found:
        say(f"{path.name}: was not installed; nothing is changed")
    if not dry_run:
        (folder.path / f"{_name(file)}.sh").unlink(missing_ok=True)
        if folder.runner is not None:
            say(f"process {folder.runner} still runs its nights; `kill {folder.runner}` pauses them")


def installed(path: Path) -> str:
    """Says whether and where a night file is installed."""
    found = [timer for timer in timers(path.absolute()) if timer.has_it()]
    if not found:
        return f"installed: no; `{beside('nightly', 'install', path.name)}` has every night started"
    return "installed: " + ", ".join(f"{timer.title} (`{timer.see}`)" for timer in found)


def timers(file: Path) -> list[Timer]:
    """Returns what may start a night file, the best first. file: absolute."""
    return [Systemd(file, _name(file)), Cron(file)]


def launcher_of(file: Path, home: Home, log: Path) -> Launcher:
    """Returns what is to be started: the program that runs now, in the folder that it was started in."""
    words = [*own_program(), "nightly", str(file), "--scheduled", "--home", str(home.path)]
    needed = []
    if home.shared is not None:
        if _is_secret(home):
            needed = ["NIGHTSWEEP_LEDGER"]
        else:
            words += ["--ledger", str(home.ledger)]
    return Launcher(words, Path.cwd(), log, kept(os.environ), SECRETS.expanduser(), needed)


def _secrets_said(home: Home) -> list[str]:
    if not _is_secret(home):
        return []
    return [
        f"the password of --ledger is written nowhere: add the line NIGHTSWEEP_LEDGER='postgresql://...' to {SECRETS}, "
        f"which only you may read (chmod 600); without it no night begins"
    ]


def _is_secret(home: Home) -> bool:
    return home.shared is not None and mask_addresses(str(home.ledger)) != str(home.ledger)


def _name(file: Path) -> str:
    """Returns a name for units and scripts: no other night file has it."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", file.stem)[:40].strip("-") or "night"
    return f"nightsweep-{stem}-{hashlib.sha256(os.fsencode(file)).hexdigest()[:8]}"
