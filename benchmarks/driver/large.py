"""Drives ten thousand trials without Ray: what a report costs in each tenth of them, and how much memory it takes.

python -m benchmarks.driver.large                     10,000 trials x 50 epochs
python -m benchmarks.driver.large --trials 200 --profile

The same Study, ledger (SQLite), searcher, scheduler (ASHA) and tracker as in `tune run`; in place of Ray's workers,
eight trials report in turn. Every trial is better than all before it, so that none is pruned and each of them leads
once: all 500,000 reports come, and each is the worst case of what follows from it. MLflow takes one trial of a hundred
for real, in a SQLite store; the calls for the others are counted. Times are of the processor: of the driver's thread,
and of the whole process with the tracker's thread.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import os
import pstats
import resource
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchestrator.ledger import Ledger
from orchestrator.study.study import Study
from orchestrator.study_file.study_spec import parse_study
from orchestrator.tracking import Tracker, default_uri, mlflow_client, sender
from orchestrator.tracking.projection import NUMBER
from orchestrator.trial import Report
from trainables import load_trainable

SPACE = {
    "lr": {"low": 1e-5, "high": 1.0, "log": True},
    "noise": {"low": 0.0, "high": 0.1},
    "batch_size": {"low": 1, "high": 64},
    "family": ["a", "b", "c"],
}
WORKERS = 8
FOR_REAL = 100  # one trial of so many is shown in a real MLflow
TENTHS = 10


@dataclass(frozen=True)
class Tenth:
    """Holds what a tenth of the trials took: ms of the processor for each report; memory in MB, the most so far."""

    trials: int
    reports: int
    driver: float
    process: float
    propose: float  # for each trial
    memory: float


def show(folder: Path, trials: int, epochs: int) -> list[Tenth]:
    """Prints the tenths of a study as they come."""
    print(f"{'trials':>8}{'reports':>9}{'driver ms':>11}{'process ms':>12}{'propose ms':>12}{'memory MB':>11}")
    tenths = []
    for tenth in measure(folder, trials, epochs):
        tenths.append(tenth)
        times = f"{tenth.driver:>11.3f}{tenth.process:>12.3f}{tenth.propose:>12.3f}"
        print(f"{tenth.trials:>8}{tenth.reports:>9}{times}{tenth.memory:>11.0f}", flush=True)
    return tenths


def measure(folder: Path, trials: int, epochs: int) -> Iterator[Tenth]:
    """Drives the study to its end; yields as each tenth of its trials has come to its own."""
    with _mostly_counted() as counts:
        ledger = Ledger(folder / "ledger.db")
        study, study_id, tracker = _begin(ledger, folder, trials, epochs)
        jobs, epoch, done, reports = [], Counter(), 0, 0
        spent_proposing = 0.0
        began = time.thread_time(), time.process_time()
        while True:
            while len(jobs) < WORKERS:
                asked = time.thread_time()
                job = study.next_job()
                spent_proposing += time.thread_time() - asked
                if job is None:
                    break
                jobs.append(job)
            if not jobs:
                break
            for job in list(jobs):
                number = job.number
                epoch[number] += 1
                score = number + epoch[number] / (epochs + 1)
                metrics = {"val/score": score, "train/loss": 1.0 / score}
                study.report(number, Report(epoch[number], metrics, 60.0, time.time()))
                reports += 1
                if epoch[number] == epochs:
                    study.complete(number)
                    jobs.remove(job)
                    del epoch[number]
                    done += 1
                    if done % (trials // TENTHS) == 0:
                        driver, process = time.thread_time() - began[0], time.process_time() - began[1]
                        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                        per_report, per_trial = 1000 / reports, 1000 / (trials // TENTHS)
                        yield Tenth(
                            done,
                            reports,
                            driver * per_report,
                            process * per_report,
                            spent_proposing * per_trial,
                            memory,
                        )
                        reports, spent_proposing = 0, 0.0
                        began = time.thread_time(), time.process_time()
        tracker.close(timeout=600)
        assert done == trials == len(ledger.trials(study_id, reports=False))
        print(f"MLflow: {counts['real']} runs for real, {counts['runs']} counted, in {counts['calls']} calls")


def _begin(ledger: Ledger, folder: Path, trials: int, epochs: int) -> tuple[Study, int, Tracker]:
    document = {
        "study": "large",
        "trainable": "tests.toy",
        "objective": {"metric": "val/score", "mode": "max"},
        "space": SPACE | {"epochs": epochs},
        "scheduler": {"name": "asha", "eta": 4},
        "budget": {"trials": trials},
    }
    spec = parse_study(document, "large")
    row = ledger.create_study(spec.study, spec.raw, spec.objective.objective, {})
    ledger.acquire(row.id, os.getpid(), "here")
    study = Study(spec, load_trainable(spec.trainable), ledger, row.id, folder / "large", concurrency=WORKERS)
    study.begin()
    tracker = Tracker(folder / "ledger.db", row.id, default_uri(folder, None), folder, warn=print)
    return study, row.id, tracker


@contextlib.contextmanager
def _mostly_counted() -> Iterator[Counter[str]]:
    """Lets the sender's MLflow client take one trial of a hundred for real, and the study's own run."""
    counts: Counter[str] = Counter()
    connect = mlflow_client.connect

    def connected(*place: Any) -> Any:
        return _Mostly(connect(*place), counts)

    sender.connect = connected  # type: ignore[assignment]
    try:
        yield counts
    finally:
        sender.connect = connect


class _Mostly:
    """Wraps MLflow's client; what concerns a run that it was not shown is counted."""

    def __init__(self, client: Any, counts: Counter[str]) -> None:
        self._client = client
        self._counts = counts
        self._counted: set[str] = set()

    def create_run(self, experiment: str, start: int, tags: dict[str, str], name: str) -> Any:
        if int(tags[NUMBER]) % FOR_REAL == 0:
            self._counts["real"] += 1
            return self._client.create_run(experiment, start, tags, name)
        run_id = uuid.uuid4().hex
        self._counted.add(run_id)
        self._counts["runs"] += 1
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id))

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def called(*arguments: Any, **named: Any) -> Any:
            self._counts["calls"] += 1
            if arguments and isinstance(arguments[0], str) and arguments[0] in self._counted:
                return None
            return method(*arguments, **named)

        return called


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--profile", action="store_true", help="print where the driver's thread spends its time")
    arguments = parser.parse_args()
    profile = cProfile.Profile(time.thread_time)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.profile:
            profile.enable()
        show(Path(folder), arguments.trials, arguments.epochs)
        profile.disable()
    if arguments.profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
