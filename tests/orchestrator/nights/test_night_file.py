"""What a night file says, and every mistake in it at once."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from orchestrator.errors import InputMistake
from orchestrator.nights import night_file
from orchestrator.nights.night_file import load_night_file
from orchestrator.nights.window import Window

WHOLE = """\
window: {start: 22:00, end: "7:00", timezone: Asia/Seoul, days: [mon, fri]}
studies:
  - {file: studies/hrnet.yaml, share: 2}
  - file: plates.yaml
"""


def mistakes_of(folder: Path, text: str) -> list[str]:
    file = folder / "night.yaml"
    file.write_text(text)
    with pytest.raises(InputMistake) as refused:
        load_night_file(file)
    return [line.removeprefix(f"{file}: ") for line in refused.value.lines]


def test_a_night_file_is_a_window_and_a_queue_whose_files_lie_beside_it(tmp_path: Path):
    (tmp_path / "night.yaml").write_text(WHOLE)
    found = load_night_file(tmp_path / "night.yaml")
    assert found.window == Window(time(22), time(7), ZoneInfo("Asia/Seoul"), frozenset({0, 4}))
    assert [(study.file, study.path, study.share) for study in found.studies] == [
        ("studies/hrnet.yaml", tmp_path / "studies" / "hrnet.yaml", 2.0),
        ("plates.yaml", tmp_path / "plates.yaml", 1.0),
    ]


def test_without_zone_and_days_it_is_every_evening_by_this_machines_clock(tmp_path: Path):
    (tmp_path / "night.yaml").write_text("window: {start: 22:00, end: 07:00}\nstudies: [{file: a.yaml}]\n")
    assert load_night_file(tmp_path / "night.yaml").window == Window(time(22), time(7))


def test_notify_is_a_list_of_variables_and_without_it_the_file_does_not_say(tmp_path: Path):
    for written, meant in (
        ("", None),
        ("notify: []\n", ()),
        ("notify: [MAIL, TEAM_CHAT, MAIL]\n", ("MAIL", "TEAM_CHAT")),
    ):
        (tmp_path / "night.yaml").write_text(WHOLE + written)
        assert load_night_file(tmp_path / "night.yaml").notify == meant


def test_every_mistake_is_told_at_once(tmp_path: Path):
    text = """\
windw: 1
window: {start: 25:00, ende: 07:00, timezone: Asia/Soul, days: [mon, tues]}
studies:
  - {file: a.yaml, share: 0}
  - {fil: b.yaml}
  - c.yaml
  - {file: ./d.yaml}
  - {file: d.yaml, share: 3}
notify: [https://user:hunter2@example.org, hooks.slack.com/services/hunter2, $NOTIFY, hunter2]
"""
    assert mistakes_of(tmp_path, text) == [
        "unknown field `windw`, did you mean `window`?",
        "window.start: must be a time of day from 00:00 to 23:59, such as 07:00, but got '25:00'",
        'window.days: must be a list of some of mon, tue, wed, thu, fri, sat, sun, but got ["mon", "tues"]',
        "window: unknown field `ende`, did you mean `end`?",
        "window.timezone: must be the name of a time zone, such as Asia/Seoul or UTC, or null for this machine's own, "
        "but got 'Asia/Soul', did you mean `Asia/Seoul`?",
        "studies[0].share: must be a number, above 0, but got 0",
        "studies[1]: unknown field `fil`, did you mean `file`?",
        "studies[2]: must be a mapping such as {file: search_spaces/plates.yaml}, but got 'c.yaml'",
        "studies[4].file: must be another file than that of studies[3]; remove one of them",
        *(
            f"notify[{number}]: must be the name of an environment variable, in capital letters, such as "
            "NIGHTSWEEP_NOTIFY; put an address, which is a secret, into such a variable, and only the name here "
            "(what stands here is not shown)"
            for number in range(4)
        ),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("studies: [{file: a.yaml}]", 'window: must be given; add `window: {start: "22:00"'),
        (
            "window: {start: 7:00, end: 07:00}\nstudies: [{file: a.yaml}]",
            "window.end: must differ from `start`, but",
        ),
        ("window: {start: 22:00, end: 07:00}\nstudies: []", "studies: must be a list such as [{file:"),
        (
            "window: {start: 1:00, end: 2:00}\nstudies: [{file: a.yaml}]\nnotify: mailto://me:hunter2@example.org",
            "notify: must be a list of names of environment variables, such as [NIGHTSWEEP_NOTIFY]",
        ),
        ("window: 22\nstudies: [{file: a.yaml}]", "window: must be a mapping such as {start: 22:00, end: 07:00}, but"),
        ("study: a\ntrainable: b\nspace: {}", "must be a night file, with `window` and `studies`, but is a study file"),
    ],
)
def test_one_mistake_says_what_to_do(tmp_path: Path, text: str, said: str):
    [line] = mistakes_of(tmp_path, text)
    assert line.startswith(said) and "hunter2" not in line


def test_a_machine_without_a_list_of_time_zones_is_told_what_to_install(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(night_file, "available_timezones", set)
    text = "window: {start: 22:00, end: 07:00, timezone: Asia/Seul}\nstudies: [{file: a.yaml}]"
    assert mistakes_of(tmp_path, text)[0].endswith("; this machine knows none: install the package tzdata")
