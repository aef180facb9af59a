"""Nights in a world whose clock is the test's: a week with all that goes wrong, and a hundred ends."""

from __future__ import annotations

import os
import random
from datetime import datetime
from pathlib import Path

import pytest

from orchestrator.errors import InputMistake
from orchestrator.nights.record import NightFolder, NightRecord
from tests.harness.fake_nights import BERLIN, FakeStudy, FakeWorld, Reboot

WINDOW = '{start: "22:00", end: "07:00", timezone: Europe/Berlin}'


def berlin(day: int, hour: int, minute: int = 0) -> datetime:
    """Returns a time of October 2026. The clock goes back on the 25th, at 03:00."""
    return datetime(2026, 10, day, hour, minute, tzinfo=BERLIN)


def turns_of(record: NightRecord) -> dict[str, list[float]]:
    """Returns the hours of each study's turns."""
    return {study.name: [round(turn.seconds / 3600, 1) for turn in study.turns] for study in record.studies}


def states_of(record: NightRecord) -> dict[str, str]:
    return {study.name: study.state for study in record.studies}


def test_a_week_of_nights_goes_on_from_each_other_whatever_happens_in_them(tmp_path: Path):
    studies = {"a": (2, FakeStudy(60)), "b": (1, FakeStudy(60)), "c": (1, FakeStudy(4.5))}
    world = FakeWorld(tmp_path, WINDOW, studies)
    a, b, c = (study for _, study in studies.values())

    monday = world.night(berlin(19, 22))
    assert turns_of(monday) == {"a": [4.5], "b": [2.3], "c": [2.3]}
    assert (monday.why, set(states_of(monday).values())) == ("the window ended", {"paused"})
    assert [each.changes for each in monday.studies] == [[], [], []]

    # On Tuesday a file has a mistake, another was changed, the code too, and the machine was asleep until 01:00.
    (tmp_path / "b.yaml").write_text("study: [\n")
    world.write("a", trials=80)
    a.code_changes.append((berlin(20, 23).timestamp(), "the code is not what trials 1 to 4 ran (tests/toy.py)"))
    tuesday = world.night(berlin(21, 1))
    assert turns_of(tuesday) == {"a": [4.0], "b": [], "c": [2.0]}
    assert states_of(tuesday) == {"a": "paused", "b": "broken", "c": "paused"}
    assert tuesday.studies[0].changes == ["budget.trials: 40 -> 80"]
    assert "b.yaml: line" in tuesday.studies[1].errors[0]
    assert any(line.startswith("b: ") and "b.yaml: line" in line for line in world.said)

    # On Wednesday c has all it was to learn after a quarter of an hour, and the others have its time.
    world.write("b")
    wednesday = world.night(berlin(21, 22))
    assert states_of(wednesday) == {"a": "paused", "b": "paused", "c": "finished"}
    assert wednesday.studies[1].behind == 0 < wednesday.studies[0].behind  # It lost a night, and is owed most.
    assert sum(hours for turns in turns_of(wednesday).values() for hours in turns) == pytest.approx(9, abs=0.2)

    # On Thursday the machine reboots at 00:00 in the middle of a turn; the same command goes on at 00:30.
    def reboot() -> None:
        raise Reboot

    world.events.append((berlin(23, 0).timestamp(), reboot))
    with pytest.raises(Reboot):
        world.night(berlin(22, 22))
    cut = world.nights.last()
    assert cut is not None and cut.ended is None and cut.studies[0].turns[0].code is None
    world.write("a", trials=90)  # What was queued is what runs: this is for the next night.
    thursday = world.night(berlin(23, 0, 30))
    assert thursday.start == berlin(22, 22).timestamp() and thursday.why == "the window ended"
    assert "trials: 80" in (world.nights.night(thursday.start) / "a.yaml").read_text()
    assert len(thursday.studies[0].turns) == 2 and thursday.studies[0].turns[0].seconds == pytest.approx(7200, abs=600)

    # On Friday somebody runs b until 23:00, and a run of a is killed.
    b.runner, a.fails = ("process 7 on here", berlin(23, 23).timestamp()), [(-9, "")]
    friday = world.night(berlin(23, 22))
    assert [turn.code for turn in friday.studies[0].turns[:2]] == [-9, 0]
    assert states_of(friday) == {"a": "paused", "b": "paused", "c": "finished"}
    assert friday.studies[0].changes == ["budget.trials: 80 -> 90"]
    assert all(began >= berlin(23, 23).timestamp() for began, _, _ in b.runs if began > friday.start)

    # The night of Saturday has ten hours. A run says that a disk is full; its time goes to the other.
    b.fails = [(1, "/data: No space left on device")]
    saturday = world.night(berlin(24, 22))
    assert saturday.end - saturday.start == 10 * 3600
    assert states_of(saturday)["b"] == "broken"
    assert saturday.studies[1].errors == ["/data: No space left on device"]
    assert sum(turns_of(saturday)["a"]) > 9.5

    # Each night ended by its window's end and one report.
    for record in (monday, tuesday, wednesday, thursday, friday, saturday):
        assert record.ended is not None and record.ended <= record.end + 300 + 10
    assert c.learnt == pytest.approx(4.5 * 3600, abs=60)


def test_a_hundred_nights_of_random_epochs_end_with_the_window_and_at_most_one_report(tmp_path: Path, monkeypatch):
    draw, late = random.Random(0), []
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    studies = {name: (draw.choice([1, 2]), FakeStudy(1e6)) for name in "ab"}
    world = FakeWorld(tmp_path, '{start: "22:00", end: "23:00", timezone: Europe/Berlin}', studies)
    for number in range(100):
        for _, study in studies.values():
            study.epoch = draw.uniform(1, 1200)
        record = world.night(berlin(1 + number % 20, 22, draw.randrange(55)))
        assert record.ended is not None
        late.append(record.ended - record.end - max(study.epoch for _, study in studies.values()))
        (world.nights.night(record.start) / "night.json").unlink()
    assert max(late) < 10


def test_a_clock_that_leaps_forward_ends_the_night_when_it_shows_the_end(tmp_path: Path):
    world = FakeWorld(tmp_path, WINDOW, {"a": (1, FakeStudy(100)), "b": (1, FakeStudy(100))})
    world.events.append((berlin(19, 23).timestamp(), lambda: setattr(world, "shift", 4 * 3600.0)))
    record = world.night(berlin(19, 22))
    assert record.why == "the window ended" and record.ended == pytest.approx(record.end, abs=600)
    assert turns_of(record)["a"] == [4.5]  # Its own process reads that clock, too; here it does not.


def test_a_study_that_finds_nothing_more_that_fits_into_the_night_is_not_started_over_and_over(tmp_path: Path):
    world = FakeWorld(tmp_path, WINDOW, {"a": (1, FakeStudy(100)), "b": (1, FakeStudy(100))})
    for study in world.studies.values():
        study.fails = [(0, "")] * 50  # comes back after five seconds
    record = world.night(berlin(19, 22))
    assert [len(study.turns) for study in record.studies] == [2, 1]  # a part, then the rest; the whole rest at once
    assert record.ended is not None and record.ended < record.start + 60 and "can have tonight" in (record.why or "")


def test_a_run_that_is_killed_again_and_again_is_broken_and_one_that_somebody_stops_waits(tmp_path: Path):
    world = FakeWorld(tmp_path, WINDOW, {"a": (1, FakeStudy(100)), "b": (1, FakeStudy(100))})
    world.studies["a"].fails, world.studies["b"].fails = [(-9, "")] * 9, [(130, "")]
    record = world.night(berlin(19, 22))
    assert states_of(record) == {"a": "broken", "b": "paused"}
    assert ([len(study.turns) for study in record.studies]) == [3, 1]
    assert "a: broken: its run ended with signal 9: it said nothing on stderr" in world.said


def test_a_stop_is_passed_on_to_the_run_and_the_same_command_goes_on(tmp_path: Path):
    world = FakeWorld(tmp_path, WINDOW, {"a": (1, FakeStudy(100)), "b": (1, FakeStudy(100))})
    world.events.append((berlin(19, 23).timestamp(), lambda: setattr(world, "asked", 1)))
    record = world.night(berlin(19, 22))
    assert record.why == "interrupted" and world.running is not None and world.running.stops == 1
    assert [len(study.turns) for study in record.studies] == [1, 0]
    world.asked = 0
    record = world.night(berlin(19, 23, 30))
    assert record.why == "the window ended"
    assert turns_of(record) == {"a": [1.1, 3.8], "b": [3.8]}


def test_two_studies_of_one_name_and_a_file_that_is_away_cost_only_themselves(tmp_path: Path):
    studies = {name: (1, FakeStudy(100)) for name in "abc"}
    world = FakeWorld(tmp_path, WINDOW, studies)
    (tmp_path / "b.yaml").write_text((tmp_path / "a.yaml").read_text())
    (tmp_path / "c.yaml").unlink()
    record = world.night(berlin(19, 22))
    assert [study.state for study in record.studies] == ["paused", "broken", "broken"]
    assert record.studies[1].errors == [
        "b.yaml: study: must differ from the other studies of the night, but 'a' is also that of a.yaml; rename one"
    ]
    assert "no such file" in record.studies[2].errors[0]


def test_the_nights_of_a_file_are_run_by_one_process_and_under_one_name(tmp_path: Path):
    world = FakeWorld(tmp_path, WINDOW, {"a": (1, FakeStudy(1))})
    assert world.nights.runner is None
    with world.nights.lease():
        with pytest.raises(InputMistake, match=r"night.yaml: must be run by one process at a time, but process \d+"):
            world.nights.lease().__enter__()
        assert world.nights.runner is not None
    assert world.nights.runner is None
    world.night(berlin(19, 22))
    (tmp_path / "other").mkdir()
    other = NightFolder(tmp_path / "runs", tmp_path / "other" / "night.yaml")
    with pytest.raises(InputMistake, match="must have a name of its own in this home"):
        other.lease().__enter__()


def test_a_full_disk_costs_the_record_and_not_the_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    world = FakeWorld(tmp_path, WINDOW, {"a": (1, FakeStudy(100))})

    def full(self: NightFolder, record: NightRecord) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(NightFolder, "write", full)
    with pytest.raises(AssertionError):  # Nothing was kept, which the harness sees.
        world.night(berlin(19, 22))
    assert world.studies["a"].learnt > 8.5 * 3600
    assert sum("cannot be written" in line for line in world.said) == 1
