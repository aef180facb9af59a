"""Puts a night file's start into systemd or cron of this user, and takes it out again."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from orchestrator.errors import NightsweepError
from orchestrator.nights.crontab import entries, has_block, with_block, without_block
from orchestrator.nights.night_file import NightFile
from orchestrator.nights.starting import clock_times
from orchestrator.nights.timer_units import service_unit, timer_unit

_SECONDS = 30.0  # that systemctl and crontab may take
_NO_CRONTAB = (b"no crontab for", b"No such file")  # Debian and cronie, busybox


@dataclass(frozen=True)
class Systemd:
    """Is the systemd instance of this user. night_file: absolute. name: of the units, without their endings."""

    night_file: Path
    name: str

    @property
    def title(self) -> str:
        return f"systemd timer {self.name}.timer"

    @property
    def see(self) -> str:
        return f"systemctl --user list-timers {self.name}.timer"

    def is_there(self) -> bool:
        return shutil.which("systemctl") is not None and _ran("systemctl", "--user", "show-environment").returncode == 0

    def has_it(self) -> bool:
        return self._file("timer").exists()

    def planned(self, night_file: NightFile, launcher: Path) -> dict[str, str]:
        """Returns what it would write: path -> text."""
        zone = night_file.window.zone
        times = clock_times(night_file.window, zone, time.time())
        return {
            str(self._file("service")): service_unit(self.night_file, launcher),
            str(self._file("timer")): timer_unit(self.night_file, times, None if zone is None else str(zone)),
        }

    def install(self, night_file: NightFile, launcher: Path) -> None:
        for path, text in self.planned(night_file, launcher).items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(os.fsencode(text))
        for words in (["daemon-reload"], ["enable", f"{self.name}.timer"], ["restart", f"{self.name}.timer"]):
            _done("systemctl", "--user", *words)

    def uninstall(self) -> None:
        if self.is_there():
            _done("systemctl", "--user", "disable", "--now", f"{self.name}.timer")
        for kind in ("timer", "service"):
            self._file(kind).unlink(missing_ok=True)
        if self.is_there():
            _done("systemctl", "--user", "daemon-reload")

    def warnings(self) -> list[str]:
        """Returns what else must be so for it to start."""
        if shutil.which("loginctl") is None:
            return []
        said = _ran("loginctl", "show-user", getpass.getuser(), "--property=Linger").stdout
        if said.strip() == b"Linger=yes":
            return []
        return ["your processes end when you log out, and nights with them; type `loginctl enable-linger` once"]

    def _file(self, kind: str) -> Path:
        config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        return Path(config).expanduser() / "systemd" / "user" / f"{self.name}.{kind}"


@dataclass(frozen=True)
class Cron:
    """Is the crontab of this user. night_file: absolute."""

    night_file: Path
    see: str = "crontab -l"

    @property
    def title(self) -> str:
        return f"crontab of {getpass.getuser()}"

    def is_there(self) -> bool:
        return shutil.which("crontab") is not None

    def has_it(self) -> bool:
        return self.is_there() and has_block(self._read(), self.night_file)

    def planned(self, night_file: NightFile, launcher: Path) -> dict[str, str]:
        """Returns what it would write: the whole crontab."""
        minutes = {at.minute for at in clock_times(night_file.window, None, time.time())}
        return {self.title: os.fsdecode(with_block(self._read(), self.night_file, entries(launcher, minutes)))}

    def install(self, night_file: NightFile, launcher: Path) -> None:
        [text] = self.planned(night_file, launcher).values()
        _done("crontab", "-", stdin=os.fsencode(text))

    def uninstall(self) -> None:
        left = without_block(self._read(), self.night_file)
        if left:
            _done("crontab", "-", stdin=left)
        else:
            _done("crontab", "-r")

    def warnings(self) -> list[str]:
        """Returns what else must be so for it to start."""
        names = {process.info["name"] for process in psutil.process_iter(["name"])}
        if names & {"cron", "crond", "fcron", "anacron"}:
            return []
        return ["no cron runs on this machine now; start it, for example by `service cron start`"]

    def _read(self) -> bytes:
        """Returns the crontab, nothing without one. Raises NightsweepError where it cannot be read."""
        done = _ran("crontab", "-l")
        if done.returncode == 0:
            return done.stdout
        if any(words in done.stderr for words in _NO_CRONTAB):
            return b""
        raise _failed(("crontab", "-l"), done)


Timer = Systemd | Cron


def _ran(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(words, input=stdin, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise NightsweepError(f"`{' '.join(words)}`: must answer within {_SECONDS:g} s, but did not") from error


def _done(*words: str, stdin: bytes = b"") -> None:
    """Runs a command. Raises NightsweepError with what it said where it failed."""
    done = _ran(*words, stdin=stdin)
    if done.returncode != 0:
        raise _failed(words, done)


def _failed(words: tuple[str, ...], done: subprocess.CompletedProcess[bytes]) -> NightsweepError:
    said = " ".join(done.stderr.decode(errors="replace").split()) or "it said nothing"
    return NightsweepError(f"`{' '.join(words)}`: must succeed, but ended with exit code {done.returncode}: {said}")
