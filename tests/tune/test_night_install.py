"""`tune nightly install`, `uninstall`, `--scheduled` and `--daemon`, with a crontab and a systemd that are made up."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from orchestrator.home import Home
from orchestrator.nights.night_file import load_night_file
from orchestrator.nights.record import NightFolder, NightRecord
from orchestrator.nights.window import Night
from tests.tune.conftest import Typed
from tests.tune.test_nightly import clock_after, write_queue
from tune import nightly
from tune.night_machine import machine_began

CRONTAB = """\
#!/bin/sh
case "$1" in
-l) [ -e {table} ] && cat {table} || {{ echo "no crontab for root" >&2; exit 1; }};;
-r) rm {table};;
-) cat > {table};;
esac
"""
SYSTEMCTL = """\
#!/bin/sh
echo "$@" >> {log}
"""
BY_DAY = "{{start: '{0}', end: '{1}', timezone: UTC}}"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a folder of programs that stand before all others; systemctl is one that finds no systemd."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    write_program(programs / "systemctl", "#!/bin/sh\nexit 1\n")
    write_program(programs / "crontab", CRONTAB.format(table=tmp_path / "table"))
    return programs


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def by_day(folder: Path) -> Path:
    return write_queue(folder, BY_DAY.format(clock_after(120), clock_after(240)))


def test_with_cron_it_is_installed_once_and_taken_out_without_a_trace(
    typed: Typed, tmp_path: Path, home: Path, machine: Path
):
    file, table = by_day(tmp_path), tmp_path / "table"
    table.write_bytes(b"MAILTO=me\n# \xff\n")
    assert f"installed: no; `tune nightly install {file.name}`" in typed("nightly", "status", file).out
    dry = typed("nightly", "install", file, "--dry-run")
    assert dry.code == 0 and "MAILTO=me\n" in dry.out and "--scheduled" in dry.out
    assert table.read_bytes() == b"MAILTO=me\n# \xff\n" and not (home / "nights").exists()
    for _ in range(2):
        said = typed("nightly", "install", file)
        assert said.code == 0 and "night.yaml: installed: crontab of " in said.out and "`crontab -l`" in said.out
    [script] = (home / "nights" / "night").glob("*.sh")
    minute = int(clock_after(120)[3:])
    lines = table.read_bytes().splitlines()
    assert lines[:2] == [b"MAILTO=me", b"# \xff"] and len(lines) == 6
    assert lines[3:5] == [f"{minute} * * * * /bin/sh {script}".encode(), f"@reboot /bin/sh {script}".encode()]
    text = script.read_text()
    assert f"nightly {file} --scheduled --home {home}" in text and sys.executable in text
    assert "installed: crontab of " in typed("nightly", "status", file).out
    file.unlink()  # It is taken out all the same.
    assert "would be removed: crontab" in typed("nightly", "uninstall", file, "--dry-run").out and script.exists()
    assert "night.yaml: removed: crontab" in typed("nightly", "uninstall", file).out
    assert table.read_bytes() == b"MAILTO=me\n# \xff\n" and not script.exists()
    assert "was not installed; nothing is changed" in typed("nightly", "uninstall", file).out


def test_systemd_is_taken_first_and_what_cron_had_is_removed(
    typed: Typed, tmp_path: Path, home: Path, machine: Path, monkeypatch: pytest.MonkeyPatch
):
    file, log = by_day(tmp_path), tmp_path / "log"
    assert typed("nightly", "install", file).code == 0 and (tmp_path / "table").exists()
    write_program(machine / "systemctl", SYSTEMCTL.format(log=log))
    monkeypatch.setenv("NIGHTSWEEP_LEDGER", "postgresql://me:word@host/db")
    said = typed("nightly", "install", file)
    assert said.code == 0 and "installed: systemd timer nightsweep-night-" in said.out
    assert "the password of --ledger is written nowhere: add the line NIGHTSWEEP_LEDGER=" in said.out
    assert not (tmp_path / "table").exists()
    [unit] = (tmp_path / "config" / "systemd" / "user").glob("*.timer")
    assert [line for line in log.read_text().splitlines() if "show-environment" not in line] == [
        "--user daemon-reload", f"--user enable {unit.name}", f"--user restart {unit.name}"
    ]  # fmt: skip
    [script] = (home / "nights" / "night").glob("*.sh")
    assert str(script) in unit.with_suffix(".service").read_text()
    written = script.read_text() + unit.read_text() + unit.with_suffix(".service").read_text()
    assert "word" not in written and "NIGHTSWEEP_LEDGER: must be set in" in written
    assert typed("nightly", "uninstall", file).code == 0 and not unit.exists()
    assert f"--user disable --now {unit.name}" in log.read_text()


def test_what_cannot_be_installed_is_refused_before_anything_is_written(
    typed: Typed, tmp_path: Path, home: Path, machine: Path, monkeypatch: pytest.MonkeyPatch
):
    file = by_day(tmp_path)
    for words, said in (
        (["install", file, "--wait"], "--wait: must stand without `install`"),
        ([file, "--daemon", "--scheduled"], "--daemon: must stand without --scheduled"),
        ([file, "--dry-run"], "--dry-run: must stand with `install` or `uninstall`"),
        (["install", tmp_path / "none.yaml"], "none.yaml: no such file"),
    ):
        answer = typed("nightly", *words)
        assert answer.code == 2 and said in answer.err
    write_program(machine / "crontab", "#!/bin/sh\necho 'you may not use it' >&2; exit 1\n")
    answer = typed("nightly", "install", file)
    assert answer.code == 1 and "`crontab -l`: must succeed, but ended with exit code 1: you may not" in answer.err
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    answer = typed("nightly", "install", file)
    assert answer.code == 2 and "neither is here; `tune nightly night.yaml --daemon`" in answer.err


def test_a_timers_start_is_silent_where_nothing_is_to_be_done(
    typed: Typed, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
):
    ran: list[Night] = []
    monkeypatch.setattr(nightly, "_run", lambda file, night, folder, world: ran.append(night) or 0)
    answer = typed("nightly", by_day(tmp_path), "--scheduled")
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    file = write_queue(tmp_path, BY_DAY.format(clock_after(-60), clock_after(60)))
    folder = NightFolder(home, file)
    with folder.lease():
        answer = typed("nightly", file, "--scheduled")
        assert (answer.code, answer.out, answer.err) == (0, "", "") and not ran
    assert typed("nightly", file, "--scheduled").code == 0 and len(ran) == 1
    record = NightRecord(str(file), "", ran[0].start, ran[0].end, "UTC", 1, ended=time.time(), why="interrupted")
    NightFolder(home, file, load_night_file(file).window.zone).write(record)
    assert typed("nightly", file, "--scheduled").out == "" and len(ran) == 1
    assert 0 < machine_began() < time.time()


def test_a_daemon_runs_each_night_once_with_the_night_file_as_it_is_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    file = write_queue(tmp_path, "{start: '22:00', end: '07:00', timezone: UTC}")
    now, ran = [datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()], []

    class World:
        def __init__(self, home, signals, zone, say, *more) -> None:
            self.signals = signals

        def now(self) -> float:
            return now[0]

        def sleep(self, seconds: float) -> None:
            now[0] += max(seconds, 1.0)
            if now[0] > START + 4 * 86400:
                self.signals.asked = 1

    def run(night_file, night: Night, folder, world) -> int:
        ran.append((night.day, len(night_file.studies)))
        now[0] += 600  # It ended long before its window.
        if len(ran) == 1:
            file.write_text("window: {start: '22:00', end: '07:00', timezone: UTC}\nstudies: [{file: a.yaml}]\n")
        elif len(ran) == 2:
            file.write_text("studies: []\n")
        return 0

    START = now[0]
    monkeypatch.setattr(nightly, "Machine", World)
    monkeypatch.setattr(nightly, "LOOK_SECONDS", 3600.0)
    monkeypatch.setattr(nightly, "_run", run)
    assert nightly.run_every_night(load_night_file(file), Home.at(tmp_path)) == 130
    assert ran == [(date(2026, 3, 10), 2), (date(2026, 3, 11), 1), (date(2026, 3, 12), 1), (date(2026, 3, 13), 1)]
    said = capsys.readouterr().out
    assert "window: must be given" in said and "night.yaml: the nights go on with what it said before" in said
    assert "night.yaml: waiting for Tue 22:00, until Wed 07:00" in said
