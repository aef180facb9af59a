"""Measures what the driver costs a study: beside plain Ray Tune, in unused workers, and over ten thousand trials.

python -m benchmarks.overhead                     all three; an hour on two cores, most of it the large study
python -m benchmarks.overhead --trials 1000       a smaller large study
python -m benchmarks.overhead --only ray          one of ray, workers, large

ray: the same study through ours and through Ray Tune with MLflow's callback, ASHA and random search in both, in turn.
Seconds of the processor that the driver takes (ours: with the process that speaks with Ray for it), for three shapes of
a study; a report and a trial with its first report cost what the shapes differ by, so that imports and starts do not
count. `lean` is Ray without result files of its own and with processes that are used again. Expected: at most half of
plain Ray's for each.
workers: of the seconds that the workers had between the first epoch and the last report, how many went into epochs of
one second. Expected: at least 0.97.
large: benchmarks/driver/large.py. Expected: no tenth dearer than the first by more than a quarter, and under 1 GB.

Exit status 1 when one is not as expected.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from benchmarks.driver import large
from benchmarks.driver.process import WORKERS
from benchmarks.fault.scene import REPOSITORY, ray_of_our_own, settle_environment

START, REPORTS, TRIALS = (4, 1), (4, 65), (84, 1)  # trials, epochs
SHARE, UTILISATION, DEARER, MEMORY_MB = 0.5, 0.97, 1.25, 1000
KINDS = ("ours", "plain", "lean")


def beside_ray(folder: Path, rounds: int) -> bool:
    """Prints what a report and a trial cost. Returns whether ours are cheap enough."""
    spent: dict[tuple[str, tuple[int, int]], list[float]] = {}
    for number in range(rounds):
        for shape in (START, REPORTS, TRIALS):
            for kind in KINDS:
                place = folder / f"{kind}-{shape[0]}-{shape[1]}-{number}"
                spent.setdefault((kind, shape), []).append(_seconds(kind, place, *shape))
    cost = {}
    print(f"{'CPU of the driver':<20}{'start, s':>10}{'report, ms':>12}{'trial, ms':>12}   medians of {rounds}")
    for kind in KINDS:
        start, reports, trials = (statistics.median(spent[kind, shape]) for shape in (START, REPORTS, TRIALS))
        report = (reports - start) / (REPORTS[0] * REPORTS[1] - START[0] * START[1])
        cost[kind] = report, (trials - start) / (TRIALS[0] - START[0])
        print(f"{kind:<20}{start:>10.1f}{1000 * cost[kind][0]:>12.2f}{1000 * cost[kind][1]:>12.1f}", flush=True)
    shares = [cost["ours"][i] / cost["plain"][i] for i in (0, 1)]
    leaner = [cost["ours"][i] / cost["lean"][i] for i in (0, 1)]
    print(f"{'ours / plain':<20}{'':>10}{shares[0]:>12.2f}{shares[1]:>12.2f}   at most {SHARE}")
    print(f"{'ours / lean':<20}{'':>10}{leaner[0]:>12.2f}{leaner[1]:>12.2f}")
    return max(shares) <= SHARE


def workers(folder: Path) -> bool:
    """Prints which share of the workers' time went into epochs. Returns whether it is large enough."""
    place = folder / "workers"
    _seconds("ours", place, 16, 6, 1.0)
    with closing(sqlite3.connect(place / "runs" / "ledger.db")) as connection:
        began, ended, trained = connection.execute(
            "SELECT min(at - seconds), max(at), sum(seconds) FROM reports"
        ).fetchone()
    share = trained / (WORKERS * (ended - began))
    print(
        f"workers: {trained:.1f} s of epochs in {WORKERS} x {ended - began:.1f} s: {share:.3f}   at least {UTILISATION}"
    )
    return share >= UTILISATION


def flat(folder: Path, trials: int) -> bool:
    """Prints the tenths of the large study. Returns whether the last ones cost no more than the first."""
    tenths = large.show(folder, trials, 50)
    first, dearest = tenths[0].process, max(tenth.process for tenth in tenths)
    memory = tenths[-1].memory
    print(f"dearest tenth / first: {dearest / first:.2f}   at most {DEARER}; {memory:.0f} MB   at most {MEMORY_MB}")
    return dearest <= DEARER * first and memory <= MEMORY_MB


def _seconds(kind: str, place: Path, trials: int, epochs: int, epoch_seconds: float = 0.0) -> float:
    """Returns seconds of the processor, for a driver in a process of its own."""
    place.mkdir()
    words = [kind, str(place), str(trials), str(epochs), str(epoch_seconds)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.driver.process", *words],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])["seconds"]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overhead", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("ray", "workers", "large"))
    parser.add_argument("--trials", type=int, default=10_000, help="of the large study")
    parser.add_argument("--rounds", type=int, default=3, help="of the comparison with Ray")
    arguments = parser.parse_args()
    settle_environment()
    good = True
    with tempfile.TemporaryDirectory() as name, ray_of_our_own():
        folder = Path(name)
        if arguments.only in (None, "ray"):
            good &= beside_ray(folder, arguments.rounds)
        if arguments.only in (None, "workers"):
            good &= workers(folder)
        if arguments.only in (None, "large"):
            good &= flat(folder, arguments.trials)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
