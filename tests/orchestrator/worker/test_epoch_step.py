"""How far an epoch is, told by a worker and read by whoever shows the trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.home import trial_directory
from orchestrator.worker.epoch_step import INTERVAL_SECONDS, EpochStep, StepFile, read_step


def test_what_is_told_is_read_at_most_once_a_second_and_gone_with_the_attempt(tmp_path: Path):
    now = 0.0
    folder = trial_directory(tmp_path, 7)
    folder.mkdir(parents=True)
    file = StepFile(folder, lambda: now)
    assert read_step(tmp_path, 7) is None
    file.write(EpochStep(2, 41, 120))
    file.write(EpochStep(2, 42, 120))
    assert read_step(tmp_path, 7) == EpochStep(2, 41, 120)
    now += INTERVAL_SECONDS
    file.write(EpochStep(2, 43))
    assert read_step(tmp_path, 7) == EpochStep(2, 43)
    file.remove()
    assert read_step(tmp_path, 7) is None


@pytest.mark.parametrize(("step", "shown"), [(EpochStep(1, 41, 120), "41/120"), (EpochStep(1, 41), "41")])
def test_a_step_is_shown_with_the_number_of_all_where_that_is_known(step: EpochStep, shown: str):
    assert str(step) == shown


@pytest.mark.parametrize("text", ["", "3", "3 41", "3 41 x", "3 41 120 5"])
def test_what_is_half_written_is_not_read_and_what_cannot_be_written_raises_nothing(tmp_path: Path, text: str):
    folder = trial_directory(tmp_path, 1)
    StepFile(folder).write(EpochStep(1, 1))  # The folder is not there.
    folder.mkdir(parents=True)
    (folder / "step.txt").write_text(text)
    assert read_step(tmp_path, 1) is None
