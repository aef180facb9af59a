"""Checks LocalRun in a plain for loop, and that a trainable that does not resume exactly is told where."""

from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests import toy
from tests.harness.folders import REPOSITORY
from trainables import LocalRun, Run, check_resumes, load_trainable

# A script finds modules beside it by itself, and the packages by this.
ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY)}
Train = Callable[[Any, Run], Iterator[dict[str, float]]]


def adding_up(step: Callable[[int, Run], float]) -> Train:
    """Returns a trainable whose config is its number of epochs, and whose val/sum grows by `step(epoch, run)`."""

    def train(epochs: int, run: Run) -> Iterator[dict[str, float]]:
        done, total = 0, 0.0
        if run.checkpoint_dir is not None:
            done, total = json.loads((run.checkpoint_dir / "state.json").read_text())
        for epoch in range(done + 1, epochs + 1):
            total += step(epoch, run)
            text = json.dumps([epoch, total])
            run.save_checkpoint(lambda folder, text=text: (folder / "state.json").write_text(text))
            yield {"val/sum": total, "images_per_second": random.random()}

    return train


EXACT = adding_up(lambda epoch, run: random.Random(f"{run.seed}/{epoch}").random())


def test_checkpoints_are_listed_in_order_and_none_is_written_over(tmp_path: Path) -> None:
    first = LocalRun(tmp_path / "run")
    list(EXACT(2, first))
    assert [folder.name for folder in first.saved] == ["checkpoint-1", "checkpoint-2"]
    later = LocalRun(tmp_path / "run", checkpoint_dir=first.saved[-1])
    list(EXACT(3, later))
    assert [folder.name for folder in later.saved] == ["checkpoint-3"]


@pytest.mark.parametrize("stop_after", [None, 1, 3])
def test_a_trainable_that_resumes_exactly_passes(tmp_path: Path, stop_after: int | None) -> None:
    check_resumes(EXACT, 4, tmp_path, stop_after=stop_after)


def test_it_is_interrupted_after_every_epoch_unless_one_is_named(tmp_path: Path) -> None:
    begun = []

    def train(epochs: int, run: Run) -> Iterator[dict[str, float]]:
        begun.append(run.checkpoint_dir and run.checkpoint_dir.parent.name)
        yield from EXACT(epochs, run)

    check_resumes(train, 3, tmp_path / "every")
    assert begun == [None, None, "after-epoch-0", "after-epoch-1", "after-epoch-2"]
    begun.clear()
    check_resumes(train, 3, tmp_path / "one", stop_after=2)
    assert begun == [None, None, "after-epoch-0"]


def test_a_loaded_trainable_is_trained_on_the_data_and_by_the_seed_given(tmp_path: Path) -> None:
    trainable = load_trainable("tests.toy")
    check_resumes(trainable, toy.Config(noise=0.1, epochs=3), tmp_path, data={"test": False}, seed=3)
    seen = []
    with pytest.raises(AssertionError, match="no epoch was reported"):
        check_resumes(lambda config, run: seen.append(run) or iter(()), None, tmp_path, data={"a": 1}, seed=3)
    assert [(run.data, run.device, run.seed) for run in seen] == [({"a": 1}, "cpu", 3)]


@pytest.mark.parametrize(
    "draw", [random.random, np.random.random, lambda: float(torch.rand(1))], ids=["python", "numpy", "torch"]
)
def test_a_generator_whose_state_is_not_saved_is_found_out(tmp_path: Path, draw: Callable[[], float]) -> None:
    def train(epochs: int, run: Run) -> Iterator[dict[str, float]]:
        if run.checkpoint_dir is None:
            random.seed(run.seed), np.random.seed(run.seed), torch.manual_seed(run.seed)
        return adding_up(lambda epoch, run: draw())(epochs, run)

    with pytest.raises(AssertionError, match=r"epoch 2: val/sum is [\d.]+ in a run that goes on after epoch 1, but"):
        check_resumes(train, 3, tmp_path)


def test_the_message_names_the_epoch_the_metric_and_both_values(tmp_path: Path) -> None:
    forgetful = adding_up(lambda epoch, run: epoch if run.checkpoint_dir is None else 0)
    with pytest.raises(AssertionError) as told:
        check_resumes(forgetful, 5, tmp_path, stop_after=3)
    assert str(told.value).startswith(
        "epoch 4: val/sum is 6.0 in a run that goes on after epoch 3, but 10.0 in one go; save all that"
    )


def test_what_is_drawn_without_a_seed_differs_before_any_interruption(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"epoch 1: val/sum is .* in a second run, but .* run.seed may decide"):
        check_resumes(adding_up(lambda epoch, run: random.random()), 3, tmp_path)


def test_a_metric_that_only_one_of_the_runs_reports_is_named(tmp_path: Path) -> None:
    def train(epochs: int, run: Run) -> Iterator[dict[str, float]]:
        for report in EXACT(epochs, run):
            yield report if run.checkpoint_dir is None else report | {"val/other": 1.0}

    with pytest.raises(AssertionError, match=r"epoch 2: val/other is 1.0 in .*, but absent in one go"):
        check_resumes(train, 3, tmp_path)


@pytest.mark.parametrize(("more", "message"), [(1, "is reported by .* but not in"), (-1, "is not reported by")])
def test_a_run_that_ends_elsewhere_after_it_was_resumed_is_found_out(tmp_path: Path, more: int, message: str) -> None:
    def train(epochs: int, run: Run) -> Iterator[dict[str, float]]:
        return EXACT(epochs if run.checkpoint_dir is None else epochs + more, run)

    with pytest.raises(AssertionError, match=message):
        check_resumes(train, 3, tmp_path)


def test_a_report_before_its_checkpoint_is_found_out(tmp_path: Path) -> None:
    def train(epochs: int, run: Run) -> Iterator[dict[str, float]]:
        for epoch in range(epochs):
            yield {"val/sum": float(epoch)}
            run.save_checkpoint(lambda folder: None)

    with pytest.raises(AssertionError, match="epoch 1: is reported before a checkpoint was saved"):
        check_resumes(train, 3, tmp_path)


def test_a_last_epoch_that_diverges_needs_no_checkpoint_and_equals_itself(tmp_path: Path) -> None:
    def train(epochs: int, run: Run) -> Iterator[dict[str, float]]:
        yield from EXACT(epochs, run)
        yield {"val/sum": math.nan}

    check_resumes(train, 2, tmp_path)


@pytest.mark.parametrize("stop_after", [0, 3])
def test_an_epoch_that_no_other_follows_cannot_be_stopped_after(tmp_path: Path, stop_after: int) -> None:
    with pytest.raises(ValueError, match=f"stop_after: must be an epoch from 1 to 2, but got {stop_after}"):
        check_resumes(EXACT, 3, tmp_path, stop_after=stop_after)


def test_what_the_documents_show_runs_and_finds_a_trainable_that_forgets(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "trainables.md").read_text()
    blocks = re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    for name, code in blocks:
        (tmp_path / name).write_text(code)
    assert [name for name, _ in blocks] == ["digits.py", "try_digits.py", "test_digits.py"]

    def run(*command: str) -> str:
        return subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=100
        ).stdout

    test = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_digits.py")
    assert len(run("try_digits.py").splitlines()) == 8 == len(list((tmp_path / "try").iterdir()))
    assert "2 passed" in run(*test)
    digits = tmp_path / "digits.py"
    digits.write_text(digits.read_text().replace('weights, done = state["weights"],', "weights, done = weights,"))
    assert re.search(r"AssertionError: epoch 2: val/accuracy is .* in a run that goes on after epoch 1", run(*test))
