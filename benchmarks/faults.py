"""Counts what faults cost a study: trials lost, repeated, twice, runs of MLflow that run for ever; all must be 0.

python -m benchmarks.faults                     every fault, half an hour on two cores
python -m benchmarks.faults --quick             the version of the test suite
python -m benchmarks.faults driver worker       faults whose names hold one of these words; --list names all
python -m benchmarks.faults --seed 7            other instants

Studies of the toy (tests/toy.py) are run by `tune run` on a Ray of their own, disturbed, and run again by the same
command until they end. Counted is what the toy wrote into a diary of its own and what stands in the tables of the
ledger and of MLflow, read by plain SQL. `same best` compares every trial's end and best score with those of a study to
which nothing happened. That is possible only where chance does not decide who is pruned: with one trial at a time, or
without a scheduler; so the studies are one or the other. Exit status 1 when a count is not as it must be.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from benchmarks.fault import ailments, deaths, disks, machines, neighbours, nodes, outages, terminals
from benchmarks.fault.scene import ray_of_our_own, settle_environment
from benchmarks.fault.stage import Fault, Impossible, References, Stage

FAULTS: dict[str, Fault] = {
    "driver killed, ASHA": deaths.driver_one_at_a_time,
    "driver killed, two at a time": deaths.driver_two_at_a_time,
    "all killed, as by power loss": deaths.everything,
    "one thing after another": deaths.bad_night,
    "worker killed": deaths.workers,
    "raylet, GCS, host of Ray killed": deaths.parts_of_ray,
    "a machine of the cluster lost": nodes.lost,
    "driver, then cluster lost": nodes.driver_beside_a_cluster,
    "score not finite": ailments.non_finite,
    "out of memory": ailments.out_of_memory,
    "exceptions": ailments.exceptions,
    "equal exceptions in a row": ailments.equal_exceptions,
    "worker dies each time": ailments.deadly,
    "hang": ailments.hangs,
    "disk full": disks.full,
    "disk full, driver killed": disks.full_and_killed,
    "quota, driver killed": disks.quota,
    "MLflow away": outages.away,
    "MLflow killed, driver too": outages.killed,
    "MLflow unreliable, driver killed": outages.unreliable,
    "MLflow's database locked": outages.database_locked,
    "stale lock": neighbours.stale_lock,
    "second driver": neighbours.second_driver,
    "three studies at once, one killed": neighbours.three_studies,
    "PostgreSQL stopped, driver killed": neighbours.postgresql,
    "terminal closed": terminals.closed,
    "Ctrl-C in the last epoch": terminals.stopped_in_the_last_epoch,
    "nobody reads the progress": terminals.unread,
    "--fresh killed": terminals.fresh_killed,
    "last words of a process": ailments.last_words,
    "checkpoints moved away": ailments.moved_checkpoints,
    "every worker killed for a while": machines.workers_die,
    "clock set": machines.clock_is_set,
    "driver suspended beside": machines.suspended_beside,
}
QUICK = "one thing after another"
KINDS = ("lost", "repeated", "twice", "zombies", "lacking", "wrong")


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", help="words of their names; default: all")
    parser.add_argument("--quick", action="store_true", help="three in one study")
    parser.add_argument("--seed", type=int, default=0, help="of the instants")
    parser.add_argument("--list", action="store_true", help="name the faults")
    parser.add_argument("--keep", action="store_true", help="leave the studies in their folder")
    arguments = parser.parse_args(words)
    names = [name for name in FAULTS if any(word in name for word in arguments.faults) or not arguments.faults]
    if arguments.quick:
        names = [QUICK]
    if arguments.list:
        print("\n".join(names))
        return 0
    settle_environment()
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        with ray_of_our_own():
            bad = _run(names, folder, arguments.seed)
    finally:
        if arguments.keep:
            print(f"\nthe studies are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return int(bad)


def _run(names: list[str], folder: Path, seed: int) -> bool:
    """Causes them one after another, and prints a row each. Returns whether a count is not as it must be."""
    width = max(len(name) for name in names)
    print(f"{'fault':<{width}} {'caused':>6} {'runs':>4} " + " ".join(f"{kind:>8}" for kind in KINDS), end="")
    print(f" {'same best':>9} {'seconds':>7}", flush=True)
    references, bad = References(folder), False
    for number, name in enumerate(names):
        stage = Stage(folder / f"fault-{number}", random.Random(f"{seed}/{name}"), references)
        began = time.monotonic()
        try:
            FAULTS[name](stage)
        except Impossible as missing:
            print(f"{name:<{width}}   not caused: {missing}", flush=True)
            continue
        except Exception as error:  # the others are to be seen all the same
            stage.losses.wrong.append("".join(traceback.format_exception(error)[-2:]))
        finally:
            stage.clear()
        counts = [len(getattr(stage.losses, kind)) for kind in KINDS]
        same = {True: "yes", False: "NO", None: "-"}[stage.same]
        print(f"{name:<{width}} {stage.caused:>6} {stage.runs:>4} " + " ".join(f"{c:>8}" for c in counts), end="")
        print(f" {same:>9} {time.monotonic() - began:>7.0f}", flush=True)
        for kind in KINDS:
            for line in getattr(stage.losses, kind):
                print(f"    {kind}: {line}", flush=True)
        bad = bad or bool(stage.losses.lines) or stage.same is False
    return bad


if __name__ == "__main__":
    sys.exit(main())
