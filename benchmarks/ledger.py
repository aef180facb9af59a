"""Measures what the ledger costs: a report, and reading a large study back, beside plain sqlite3 doing the same.

python -m benchmarks.ledger                      10,000 trials x 50 reports; half a minute
python -m benchmarks.ledger --trials 1000 --folder /a/disk
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.ledger import Ledger
from orchestrator.trial import Objective, Report, State

METRICS = {"val/hmean": 0.8123456789, "val/precision": 0.7912345678, "train/loss": 0.0123456789, "lr": 3.1e-4}
RECORDS = 2000  # so many single reports are timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--reports", type=int, default=50, help="per trial")
    parser.add_argument("--folder", type=Path, help="where the databases are made; default: the temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        ledger = Ledger(Path(folder) / "ledger.db")
        study = ledger.create_study("benchmark", {}, Objective("val/hmean", "max"), {}).id
        rows = [
            ("record, no checkpoint", *_median_ms(_records(ledger, study, False), _plain_records(folder, "NORMAL"))),
            ("record, checkpoint", *_median_ms(_records(ledger, study, True), _plain_records(folder, "FULL"))),
        ]
        large = ledger.create_study("large", {}, Objective("val/hmean", "max"), {}).id
        _fill(Path(folder) / "ledger.db", large, arguments.trials, arguments.reports)
        rows.append(("load", _seconds(lambda: ledger.trials(large)), _seconds(lambda: _plain_load(folder, large)), "s"))
        rows.append(
            ("history", _seconds(lambda: ledger.history(large)), _seconds(lambda: _plain_load(folder, large)), "s")
        )
        without = _seconds(lambda: ledger.trials(large, reports=False))
        print(f"{arguments.trials} trials x {arguments.reports} reports of {len(METRICS)} metrics\n")
        print(f"{'':<24}{'ledger':>12}{'sqlite3':>12}{'ratio':>8}")
        for name, ours, plain, unit in rows:
            print(f"{name:<24}{ours:>9.3f} {unit:<2}{plain:>9.3f} {unit:<2}{ours / plain:>8.2f}")
        print(f"{'load without reports':<24}{without:>9.3f} s")
        ledger.close()


def _records(ledger: Ledger, study: int, checkpoint: bool) -> Callable[[int], None]:
    numbers = [ledger.add_trial(study, {"lr": lr, "checkpoint": checkpoint}).number for lr in range(RECORDS // 50)]

    def record(i: int) -> None:
        report = Report(i % 50 + 1, METRICS, 60.0, time.time(), checkpoint)
        ledger.record(study, numbers[i // 50], report)

    return record


def _plain_records(folder: str, synchronous: str) -> Callable[[int], None]:
    """Does one insert a transaction, as short as it can be."""
    connection = sqlite3.connect(Path(folder) / f"plain-{synchronous}.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(
        "CREATE TABLE reports (trial INTEGER, epoch INTEGER, metrics TEXT, at REAL, UNIQUE (trial, epoch))"
    )

    def record(i: int) -> None:
        row = (i // 50, i % 50 + 1, json.dumps(METRICS), time.time())
        connection.execute("INSERT INTO reports VALUES (?, ?, ?, ?)", row)

    return record


def _median_ms(ours: Callable[[int], None], plain: Callable[[int], None]) -> tuple[float, float, str]:
    """Measures both in turn, so that a busy disk is busy for both."""
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(RECORDS):
        for record, spent in zip((ours, plain), times, strict=True):
            began = time.perf_counter()
            record(i)
            spent.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[0]), statistics.median(times[1]), "ms"


def _fill(file: Path, study: int, trials: int, reports: int) -> None:
    """Writes epoch by epoch over all trials, the worst order for reading them by trial."""
    trial_row = "INSERT INTO trials (study_id, number, config, config_digest, seed, state, facts, attempts, created,"
    trial_row += " revision, mlflow_unsure, mlflow_revision) VALUES (?, ?, ?, ?, 0, ?, '{}', 1, 0.0, 1, 0, 1)"
    report_row = "INSERT INTO reports (trial_id, epoch, metrics, seconds, at, checkpoint, revision)"
    report_row += " VALUES (?, ?, ?, 60.0, ?, 1, 1)"
    config, metrics = json.dumps({"lr": 1e-3, "backbone": "hrnet_w44", "weight_decay": 1e-4}), json.dumps(METRICS)
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        first = connection.execute("SELECT max(id) FROM trials").fetchone()[0] + 1
        numbers = range(1, trials + 1)
        connection.executemany(trial_row, [(study, n, config, f"digest {n}", State.COMPLETED.value) for n in numbers])
        for epoch in range(1, reports + 1):
            connection.executemany(report_row, [(first + n - 1, epoch, metrics, time.time()) for n in numbers])


def _plain_load(folder: str, study: int) -> list[tuple[int, int, dict[str, float]]]:
    """Returns the same rows with their metrics parsed, as plain tuples."""
    query = "SELECT trial_id, epoch, metrics FROM reports JOIN trials ON trials.id = trial_id WHERE study_id = ?"
    with contextlib.closing(sqlite3.connect(Path(folder) / "ledger.db")) as connection:
        return [(trial, epoch, json.loads(metrics)) for trial, epoch, metrics in connection.execute(query, (study,))]


def _seconds(act: Callable[[], object]) -> float:
    """Returns seconds of the processor, which other work hardly changes; the best of three."""
    times = []
    for _ in range(3):
        began = time.process_time()
        act()
        times.append(time.process_time() - began)
    return min(times)


if __name__ == "__main__":
    main()
