"""What is written for systemd, cron and the shell: when it starts, quoting, and other people's lines of a crontab."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from orchestrator.errors import InputMistake
from orchestrator.nights.crontab import entries, has_block, with_block, without_block
from orchestrator.nights.launcher import Launcher, kept
from orchestrator.nights.record import NightRecord
from orchestrator.nights.starting import clock_times, has_to_begin
from orchestrator.nights.timer_units import service_unit, timer_unit
from orchestrator.nights.window import Window

BERLIN, SEOUL, UTC = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Seoul"), ZoneInfo("UTC")
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()
NIGHT = Path("/data/night.yaml")
ODD = 'it\'s 100% "a\\b" $HOME \\% 밤; `x`'  # a folder's name


def as_cron_reads(command: str) -> str:
    """Returns what Debian's cron gives to the shell of a command, as its manual says and its do_command.c does."""
    found, escaped = "", False
    for character in command:
        if escaped:
            found = found[:-1] + character if character == "%" else found + character
            escaped = False
            continue
        if character == "%":
            break
        escaped = character == "\\"
        found += character
    return found


def test_the_times_of_a_start_are_those_of_the_windows_zone_by_the_clock_that_starts_it():
    window = Window(time(22), time(7), SEOUL, frozenset({0, 4}))
    assert clock_times(window, SEOUL, NOW) == {time(22): {0, 4}}
    assert clock_times(window, UTC, NOW) == {time(13): {0, 4}}
    assert clock_times(window, BERLIN, NOW) == {time(14): {0, 4}, time(15): {0, 4}}  # summer and winter
    assert clock_times(Window(time(3), time(7), SEOUL, frozenset({0})), UTC, NOW) == {time(18): {6}}  # Sunday there
    leapt = clock_times(Window(time(2, 30), time(7), BERLIN), BERLIN, NOW)
    assert leapt == {time(2, 30): set(range(7)), time(3): {6}}


def test_a_timer_goes_on_with_a_night_that_was_cut_off_and_leaves_alone_one_that_ended_or_was_stopped():
    record = NightRecord("night.yaml", "2026-03-10", NOW, NOW + 9000, None, 1)
    assert has_to_begin(None, NOW) and has_to_begin(record, NOW)
    record.ended, record.why = NOW + 60, "the window ended"
    assert not has_to_begin(record, NOW) and not has_to_begin(record, NOW + 120)
    record.why = "interrupted"
    assert not has_to_begin(record, NOW - 86400)  # by somebody
    assert has_to_begin(record, NOW + 120)  # by a reboot


def test_the_entries_of_a_file_go_in_and_out_of_a_crontab_and_no_other_byte_changes():
    draw = random.Random(7)
    foreign = [
        b"", b"# nightsweep begins: /data/other.yaml", b"# nightsweep ends: /data/other.yaml", b"MAILTO=\xff\xfe",
        b"0 22 * * * /bin/sh /data/night.yaml", b"\t# \xeb\xb0\xa4\r", b"@reboot x", b"* * * * * a%b", b"\x0c\x1c\x85",
        b"# nightsweep begins: /data/night.yaml.old", b" # nightsweep ends: /data/night.yaml",
    ]  # fmt: skip
    for _ in range(300):
        table = b"".join(line + b"\n" for line in draw.choices(foreign, k=draw.randrange(6)))
        written = with_block(table, NIGHT, entries(Path("/h/a.sh"), [30, 0, 30]))
        assert has_block(written, NIGHT) and not has_block(table, NIGHT)
        assert without_block(written, NIGHT) == table == without_block(table, NIGHT)
        before, after = written, b"".join(line + b"\n" for line in draw.choices(foreign[4:8], k=draw.randrange(3)))
        again = with_block(before + after, NIGHT, ["1 * * * * new"])
        assert again == table + b"# nightsweep begins: /data/night.yaml\n1 * * * * new\n" + (
            b"# nightsweep ends: /data/night.yaml\n" + after
        )
    assert entries(Path("/h/a.sh"), [30, 0, 30]) == ["0,30 * * * * /bin/sh /h/a.sh", "@reboot /bin/sh /h/a.sh"]
    assert with_block(b"no line feed", NIGHT, ["x"]).startswith(b"no line feed\n# nightsweep begins: ")


@pytest.mark.parametrize("table", ["begins", "ends", "ends begins", "begins begins ends", "begins ends begins ends"])
def test_a_crontab_whose_marks_were_edited_is_not_touched(table: str):
    text = b"".join(b"# nightsweep %s: /data/night.yaml\nx\n" % word.encode() for word in table.split())
    for change in (without_block, has_block, lambda table, file: with_block(table, file, ["x"])):
        with pytest.raises(InputMistake, match=r"once each, in this order.*crontab -e"):
            change(text, NIGHT)


def test_whatever_a_path_holds_cron_starts_the_script_in_its_folder_with_its_environment(tmp_path: Path):
    folder = tmp_path / ODD
    folder.mkdir()
    (folder / "secrets").write_text("TOKEN='a b'\n")
    program = "import os, sys; print(os.getcwd(), sys.argv[1:], os.environ['TOKEN'], os.environ['LANG'])"
    words = [sys.executable, "-c", program, ODD]
    launcher = Launcher(words, folder, folder / "log", {"LANG": ODD}, folder / "secrets", ["TOKEN"])
    script = folder / "start.sh"
    script.write_text(launcher.script())
    for line in entries(script, [0]):
        command = as_cron_reads(line.split(maxsplit=5)[-1] if line[0] == "0" else line.removeprefix("@reboot "))
        done = subprocess.run(["/bin/sh", "-c", command], cwd="/", env={}, capture_output=True, check=True)
        assert done.stdout + done.stderr == b""  # which cron would mail
    assert (folder / "log").read_text() == f"{folder} {[ODD]} a b {ODD}\n" * 2
    (folder / "secrets").write_text("")
    assert subprocess.run(["/bin/sh", script], env={}, check=False).returncode == 2
    assert (folder / "log").read_text().endswith(f"TOKEN: must be set in {folder}/secrets\n")
    with pytest.raises(InputMistake, match="shorter --home"):
        entries(Path("/" + "a" * 1000), [0])


def test_what_is_kept_of_the_environment_holds_no_secret():
    given = {"PATH": "/bin", "API_TOKEN": "x", "MLFLOW_TRACKING_URI": "http://me:word@host", "HOME": "/root"}
    assert kept(given) == {"PATH": "/bin"}
    assert kept({"MLFLOW_TRACKING_URI": "http://host"}) == {"MLFLOW_TRACKING_URI": "http://host"}


def test_the_units_are_what_systemd_takes(tmp_path: Path):
    script = tmp_path / ODD / "start.sh"
    service = service_unit(tmp_path / ODD / "night.yaml", script)
    times = clock_times(Window(time(2, 30), time(7), BERLIN, frozenset({4, 6})), BERLIN, NOW)
    timer = timer_unit(tmp_path / ODD / "night.yaml", times, "Europe/Berlin")
    assert "OnCalendar=Fri,Sun *-*-* 02:30:00 Europe/Berlin\nOnCalendar=Sun *-*-* 03:00:00 Europe/Berlin\n" in timer
    assert "KillMode=mixed" in service and "Persistent=true" in timer
    assert "OnCalendar=Mon *-*-* 22:00:00\n" in timer_unit(NIGHT, {time(22): {0}}, None)
    if shutil.which("systemd-analyze") is None:
        return  # What is below asks systemd itself.
    (tmp_path / "n.service").write_text(service)
    (tmp_path / "n.timer").write_text(timer)
    (tmp_path / "xdg").mkdir()
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", tmp_path / "n.timer", tmp_path / "n.service"],
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path / "xdg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
