"""What a running study shows, in a terminal and piped; the study is driven without Ray."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from orchestrator.home import trial_directory
from orchestrator.job import Failure, FailureClass
from orchestrator.worker.epoch_step import EpochStep, StepFile
from tests.harness.fake_cluster import FakeCluster, finish, report
from tests.harness.screen import Screen
from tune.clock import Clock
from tune.lines import Lines
from tune.live import build_progress
from tune.live_table import LiveTable
from tune.standing import summary, time_left
from tune.terminal import Terminal

BASELINES = [{"name": "손으로 맞춘 값", "lr": 0.1}, {"name": "by hand", "lr": 1e-4}]
BOOM = Failure(FailureClass.EXCEPTION, "boom", traceback="Traceback: boom")


def a_terminal(screen: io.StringIO, width: int = 80, height: int = 24) -> Terminal:
    """Makes a console on a screen of that size."""
    return Terminal(file=screen, force_terminal=True, color_system=None, width=width, height=height)


def shown_by(screen: Screen) -> list[str]:
    """Returns what stands on the screen now, without empty lines."""
    return [line.rstrip() for line in screen.lines if line]


def said_by(pipe: io.StringIO) -> list[str]:
    """Returns the lines without the time of day."""
    return [line[len("0000-00-00 00:00:00  ") :] for line in pipe.getvalue().splitlines()]


def a_study(directory: Path, progress: Lines | LiveTable, **sections: object) -> FakeCluster:
    """Makes a study of two baselines and two proposals, shown by `progress`."""
    plain = {"scheduler": {"name": "none"}, "baselines": BASELINES, "budget": {"trials": 4}}
    cluster = FakeCluster(directory, on_event=progress.event, **(plain | sections))
    progress.begin(cluster.study, None)
    return cluster


# Plain lines


def test_lines_tell_every_start_every_new_best_and_every_end(tmp_path: Path):
    pipe = io.StringIO()
    study = a_study(tmp_path, Lines(Terminal(file=pipe, width=40))).study
    for _ in BASELINES:
        job = study.next_job()
        assert job is not None
        finish(study, job)
    assert said_by(pipe) == [
        "0001 (손으로 맞춘 값)  started: lr 0.1",
        "0001 (손으로 맞춘 값)  best so far: val/score 0.4000 at epoch 1",
        "0001 (손으로 맞춘 값)  best so far: val/score 0.6400 at epoch 2",
        "0001 (손으로 맞춘 값)  best so far: val/score 0.7840 at epoch 3",
        "0001 (손으로 맞춘 값)  best so far: val/score 0.8704 at epoch 4",
        "0001 (손으로 맞춘 값)  completed: last epoch: 4 of 4, val/score 0.8704, 4 epochs, 4 s",
        "0002 (by hand)  started: lr 0.0001",
        "0002 (by hand)  completed: last epoch: 4 of 4, val/score 0.5571, 4 epochs, 4 s",
    ]


def test_lines_tell_why_a_trial_failed_or_starts_again(tmp_path: Path):
    pipe = io.StringIO()
    study = a_study(tmp_path, Lines(Terminal(file=pipe, width=40))).study
    first, second = study.next_job(), study.next_job()
    assert first is not None and second is not None
    study.report(first.number, report(first, 1))
    study.fail(first.number, Failure(FailureClass.WORKER_LOST, "the worker process died"))
    study.fail(second.number, BOOM)
    again = study.next_job()
    assert again is not None and again.number == first.number
    assert said_by(pipe)[-3:] == [
        "0001 (손으로 맞춘 값)  retried: worker lost: the worker process died, val/score 0.4000, 1 epoch, 1 s",
        "0002 (by hand)  failed: exception: boom, no val/score, 0 s",
        "0001 (손으로 맞춘 값)  started again after epoch 1: lr 0.1",
    ]


def test_lines_break_a_long_silence_and_no_short_one(tmp_path: Path):
    for silence, expected in ((30.0, []), (-1.0, ["0/4 trials"])):
        pipe = io.StringIO()
        lines = Lines(Terminal(file=pipe, width=40), silence=silence)
        lines.tick()  # Nothing is shown yet: there is nothing to tell.
        study = a_study(tmp_path / str(silence), lines).study
        lines.tick()
        assert said_by(pipe) == expected
        if expected:
            study.next_job()
            lines.tick()
            assert said_by(pipe)[-1] == "1/4 trials · 1 running · 0001 in epoch 1/4, 0 s"


# The live table


@pytest.mark.parametrize(
    ("width", "config"), [(80, "lr 0.1, family a, bat…"), (160, "lr 0.1, family a, batch_size 8, seconds 0")]
)
def test_the_table_fits_its_terminal_whatever_trials_are_called(tmp_path: Path, width: int, config: str):
    screen = Screen()
    table = LiveTable(a_terminal(screen, width), interval=0.0)
    space = {"lr": {"low": 1e-4, "high": 1.0}, "family": ["a", "b"], "batch_size": [8, 16], "seconds": [0.0, 1.0]}
    named = [{"name": "손으로 맞춘 값", "lr": 0.1, "family": "a", "batch_size": 8, "seconds": 0.0}]
    study = a_study(tmp_path, table, space=space | {"epochs": 4}, baselines=named).study
    job = study.next_job()
    assert job is not None
    study.report(job.number, report(job, 1))
    table.tick()
    heading, row, *told = shown_by(screen)
    assert heading.split() == ["trial", "state", "epoch", "val/score", "time", "config"]
    assert row.startswith("0001 (손으로 맞춘 값) *  running  2/4    0.4000     1 s")
    assert row.endswith(config)
    assert " ".join(told).startswith("1/4 trials · 1 running · best val/score 0.4000 (0001) · ends about ")
    assert all(cell_len(line) <= width for line in screen.lines)
    assert not screen.cursor_is_shown


def test_the_table_shows_the_newest_state_of_every_trial_running_ones_first(tmp_path: Path):
    screen = Screen()
    table = LiveTable(a_terminal(screen), interval=0.0)
    study = a_study(tmp_path, table).study
    first = study.next_job()
    assert first is not None
    table.tick()
    finish(study, first)
    second = study.next_job()
    assert second is not None
    study.report(second.number, report(second, 1))
    table.tick()
    _, *rows, told, _ = shown_by(screen)
    assert [row.split()[0] for row in rows] == ["0002", "0001"]
    assert [("running" in row, "completed" in row, " * " in row) for row in rows] == [
        (True, False, False),
        (False, True, True),
    ]
    assert told.startswith("2/4 trials · 1 running · 1 completed · best val/score 0.8704 (0001)")


def test_the_table_tells_that_time_passes_and_how_far_the_epoch_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    screen, now = Screen(), 100.0
    table = LiveTable(a_terminal(screen), interval=0.0)
    table._clock = Clock(lambda: now)
    study = a_study(tmp_path, table).study
    job = study.next_job()
    assert job is not None
    seen = []
    for seconds, step in ((0.0, None), (35.0, EpochStep(1, 41, 120)), (35.0, EpochStep(1, 90, 120))):
        now += seconds
        if step is not None:
            folder = trial_directory(study.directory, job.number)
            folder.mkdir(parents=True, exist_ok=True)
            StepFile(folder).write(step)
        table.tick()
        seen.append([cell for cell in re.split(" {2,}", shown_by(screen)[1]) if cell])
    assert [cells[1:-1] for cells in seen] == [
        ["running", "1/4", "0 s"],
        ["running", "1/4", "41/120", "35 s"],
        ["running", "1/4", "90/120", "1 min 10 s"],
    ]
    study.report(job.number, report(job, 1))  # The step is of the epoch before.
    table.tick()
    assert "120" not in shown_by(screen)[1] and "2/4" in shown_by(screen)[1]


def test_why_a_trial_failed_is_said_above_the_table_and_stays_when_the_table_goes(tmp_path: Path):
    screen = Screen()
    table = LiveTable(a_terminal(screen), interval=0.0)
    study = a_study(tmp_path, table).study
    job = study.next_job()
    assert job is not None
    table.tick()
    study.fail(job.number, BOOM)
    table.tick()
    said, heading, row, _ = shown_by(screen)
    assert said == "0001 (손으로 맞춘 값)  failed: exception: boom"
    assert heading.startswith("trial") and "failed" in row
    table.end()
    assert shown_by(screen) == [said]
    assert screen.cursor_is_shown


def test_a_study_that_goes_on_on_another_cluster_keeps_its_one_table(tmp_path: Path):
    screen = Screen()
    table = LiveTable(a_terminal(screen), interval=0.0)
    study = a_study(tmp_path, table).study
    table.tick()
    table.begin(study, None)
    table.tick()
    assert [line.split()[0] for line in shown_by(screen)] == ["trial", "0/4"]
    table.end()
    assert shown_by(screen) == [] and screen.cursor_is_shown


def test_a_low_terminal_shows_the_summary_however_many_trials_run(tmp_path: Path):
    screen = Screen()
    table = LiveTable(a_terminal(screen, height=15), interval=0.0)
    study = a_study(tmp_path, table, budget={"trials": 40}).study
    study.concurrency = 40
    while study.next_job() is not None:
        pass
    table.tick()
    lines = shown_by(screen)
    assert len(lines) <= 15
    assert lines[-1].startswith("40/40 trials · 40 running")


def test_the_table_is_not_painted_again_before_its_interval_is_over(tmp_path: Path):
    screen = Screen()
    table = LiveTable(a_terminal(screen), interval=3600.0)
    study = a_study(tmp_path, table).study
    table.tick()
    study.next_job()
    table.tick()
    assert shown_by(screen)[-1] == "0/4 trials"


def test_what_never_began_ends_without_a_trace():
    screen = Screen()
    table = LiveTable(a_terminal(screen))
    table.tick()
    table.end()
    table.end()
    assert shown_by(screen) == [] and screen.cursor_is_shown


def test_a_terminal_gets_the_table_and_a_pipe_the_lines():
    assert isinstance(build_progress(a_terminal(Screen())), LiveTable)
    assert isinstance(build_progress(Terminal(file=io.StringIO())), Lines)


# The summary


def test_the_summary_says_who_reached_which_milestone_and_how_long_it_may_take(tmp_path: Path):
    cluster = FakeCluster(tmp_path, scheduler={"name": "asha", "eta": 2, "grace_epochs": 1}, budget={"trials": 6})
    study = cluster.study
    assert summary(study, None) == "0/6 trials"
    while sum(trial.state.final for trial in study.trials) < 3:
        job = study.next_job()
        assert job is not None
        finish(study, job)
    told = summary(study, None)
    assert " reached epoch 1 · " in told and " reached epoch 2" in told
    spent = sum(trial.seconds for trial in study.trials)
    assert time_left(study) == pytest.approx(3 * spent / 3 / 2)  # Three more trials, two at a time.
    assert " · ends about " in told and told.endswith(" s left")
    assert summary(study, 10_000.0, now=2_500.0).endswith(" · 2 h 05 min left until the deadline")


def test_the_end_is_estimated_from_the_first_reports_on(tmp_path: Path):
    study = FakeCluster(tmp_path, scheduler={"name": "none"}, budget={"trials": 6}).study
    job = study.next_job()
    assert job is not None and time_left(study) is None
    study.report(job.number, report(job, 1))  # One second for one of four epochs; six trials, two at a time.
    assert time_left(study) == pytest.approx(6 * 4 * 1.0 / 2)
    now = 1_700_000_000.0
    ends = time.strftime("%a %H:%M", time.localtime(now + 12))
    assert f" · ends about {ends} · about 12 s left" in summary(study, None, now=now)
    assert "ends about" not in summary(study, now + 5, now=now)
    study.report(job.number, replace(report(job, 2), seconds=0.5))  # The first epoch had held the worker's start.
    assert time_left(study) == pytest.approx(6 * 4 * 0.5 / 2)


def test_the_summary_says_that_a_study_stops_and_why(tmp_path: Path):
    study = FakeCluster(tmp_path).study
    study.stop("the deadline came")
    assert summary(study, None).endswith(" · stopping (the deadline came): trials pause at their next report")
