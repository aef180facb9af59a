"""A whole study on a real Ray, on a disk that somebody else fills in its middle."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from orchestrator.disk import free_bytes
from orchestrator.ledger import Ledger
from orchestrator.study.study import Study
from orchestrator.study_file.study_spec import load_study
from orchestrator.trial import State
from tests.harness.command import Started, Tune, end, start
from tests.harness.fake_cluster import finish
from trainables import load_trainable

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]


@pytest.fixture
def home(mount_disk: Callable[..., Path]) -> Path:
    return mount_disk("64m")


@pytest.fixture
def tune(home: Path, repository: Path) -> Iterator[Tune]:
    """Starts `tune ...` on the small disk, what it says on stderr among the rest; killed if it is left running."""
    started: list[Started] = []

    def run(*arguments: str) -> Started:
        started.append(start(repository, arguments, {"NIGHTSWEEP_HOME": str(home)}, stderr=subprocess.STDOUT))
        return started[-1]

    yield run
    for process in started:
        end(process)


def undisturbed(file: Path, directory: Path) -> list[tuple[Any, ...]]:
    """The trials of the same study without Ray, one after another, on a disk with room."""
    spec = load_study(file)
    ledger = Ledger(directory / "ledger.db")
    row = ledger.create_study(spec.study, spec.raw, spec.objective.objective, {})
    study = Study(spec, load_trainable(spec.trainable), ledger, row.id, directory / "toy", concurrency=1)
    study.begin()
    while (job := study.next_job()) is not None:
        finish(study, job, until=job.config["epochs"])
    return [outcome(trial.config, trial.state, trial.epochs, trial.value(study.objective)) for trial in study.trials]


def outcome(config: dict[str, Any], state: str, epochs: int, value: float | None) -> tuple[Any, ...]:
    assert value is not None
    return config, str(state), epochs, round(value, 9)


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def line_with(stream: IO[str], *words: str) -> str:
    seen = []
    for line in stream:
        seen.append(line)
        if any(word in line for word in words):
            return line
    raise AssertionError("".join(seen))


def test_a_disk_that_fills_up_pauses_the_study_which_then_ends_as_if_nothing_had_happened(
    tune: Tune,
    toy_study: Callable[..., Path],
    home: Path,
    fill_disk: Callable[[Path], Path],
    tmp_path: Path,
):
    file = toy_study(
        space={"epochs": 5, "seconds": 0.2},
        budget={"trials": 5},
        resources={"gpu": 0, "cpu": 1, "concurrent": 1},
        checkpoints={"reserve_gb": 0.01},
    )
    process = tune("run", str(file))
    assert process.stdout is not None

    def trials() -> list[Any]:
        ledger = Ledger(home / "ledger.db")
        try:
            return [trial for row in ledger.studies() for trial in ledger.trials(row.id)]
        finally:
            ledger.close()

    wait_until(lambda: (home / "ledger.db").exists() and sum(trial.epochs for trial in trials()) >= 3)
    taken = fill_disk(home)
    line_with(process.stdout, "is full", "has no room left to write")
    with taken.open("r+b") as stream:  # a little room: enough for the ledger, too little to go on
        stream.truncate(taken.stat().st_size + free_bytes(home) - 5_000_000)
    wait_until(lambda: {trial.state for trial in trials()} <= {State.PAUSED, State.COMPLETED, State.PRUNED})
    paused = trials()
    assert [trial for trial in paused if trial.state is State.PAUSED]
    assert process.poll() is None
    taken.unlink()
    line_with(process.stdout, "trying again: there is room")
    rest, _ = process.communicate(timeout=200)
    assert process.returncode == 0, rest
    shown, _ = tune("show", "toy", "--json", "--history").communicate(timeout=60)
    summary = json.loads(shown)
    assert [
        outcome(trial["config"], trial["state"], trial["epochs"], trial["value"]) for trial in summary["trials"]
    ] == undisturbed(file, tmp_path / "calm")
    for trial in summary["trials"]:
        assert [report["epoch"] for report in trial["reports"]] == list(range(1, trial["epochs"] + 1))
    assert Path(summary["best"]["checkpoint"], "manifest.json").exists()
