"""Records a study in which everything happens: `python -m tests.harness.record_study`.

Four simulated workers of different speed, faults of every class, a driver that is stopped, killed and started again:
the workers report what the toy's closed form and noise give.
"""

from __future__ import annotations

import heapq
import json
import math
import random
import tempfile
from pathlib import Path
from typing import Any

from tests import toy
from tests.harness.played_study import RECORDED, PlayedStudy

WORKERS, EPOCHS = 4, 27
RAW: dict[str, Any] = {
    "study": "recorded",
    "trainable": "tests.toy",
    "objective": {"metric": "val/score", "mode": "max"},
    "space": {
        "lr": {"low": 1e-5, "high": 10.0, "log": True},
        "epochs": EPOCHS,
        "batch_size": [4, 8, 16],
        "family": ["a", "b", "c"],
    },
    "constraints": ["lr * batch_size <= 40"],
    "baselines": [
        {"name": "by hand", "lr": 0.005, "batch_size": 8, "family": "a"},
        {"name": "too low", "lr": 1e-4, "batch_size": 8, "family": "b"},
    ],
    "search": {"sampler": "random", "seed": 11},
    "scheduler": {"name": "asha", "eta": 3, "grace_epochs": 1},
    "failures": {"first_report_minutes": 1.0},
    "budget": {"trials": 60},
}
NOISE = 0.04
SAVED = 0.85  # share of the epochs that save a checkpoint
CORRUPT = 0.6  # share of the attempts whose newest checkpoint turns out to be corrupt
FAULTY = 0.05  # share of the epochs in which something goes wrong
FATAL = ("exception", "non-finite", "nan", "unnamed")
FAULTS = (*FATAL, "out of memory", "worker lost", "crash", "hang", "storage", "way")
DOOMED = {5: "worker lost", 6: "out of memory", 9: "hang"}  # in the first second of every attempt without a checkpoint
REFUSED = {22, 23, 24}  # which find no room for their first checkpoint, once


class Simulation:
    """Workers that train, on a clock of their own; everything said to the study is written down."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.events: list[list[Any]] = []
        self.now = 0.0
        self._study = PlayedStudy(RAW, folder)
        self._rng = random.Random(seed)
        self._speeds = [self._rng.uniform(0.6, 1.8) for _ in range(WORKERS)]
        self._idle: list[int] = []
        self._steps: list[tuple[float, int, dict[str, Any], int]] = []  # when, worker, job, the epoch that ends then
        self._refused = set(REFUSED)
        self._broken = False

    def tell(self, call: str, *arguments: Any) -> Any:
        answer = self._study.call(self.now, call, arguments)
        self.events.append([self.now, call, list(arguments), answer])
        return answer

    def session(self, lasts: float = math.inf, ends: float | None = None, broken: bool = False) -> None:
        """Until nothing runs or will run, or for so many seconds have passed.

        ends: seconds until the session's deadline. broken: every new trial raises in the first second.
        """
        self.now = round(self.now + 100.0, 3)
        over, self._broken = self.now + lasts, broken
        self._idle, self._steps = list(range(WORKERS)), []
        self.tell("open", WORKERS, None if ends is None else self.now + ends)
        self._start()
        while (until := self._next()) is not None and until <= over:
            if self._steps and self._steps[0][0] == until:
                self._step()
            else:
                self.now = until
                if self._study.status()["disk_full"]:
                    self.tell("disk_has_room")
            self._start()
        if until is not None:
            self.now = over

    def wind_down(self, reports: int) -> None:
        """So many workers still come to the end of their epoch; the others are let go."""
        for _ in range(min(reports, len(self._steps))):
            self.now, _, job, epoch = heapq.heappop(self._steps)
            if epoch > EPOCHS:
                self.tell("complete", job["number"])
            else:
                self._report(job, epoch, self._metrics(job, epoch))
        self.tell("next_job")
        self.tell("pause_all", "the driver stopped")

    def die(self) -> None:
        """The driver is killed right after it kept two reports, one bad and one that is no number."""
        training = [step for step in sorted(self._steps) if step[2]["number"] > 2 and step[3] <= EPOCHS]
        for (self.now, _, job, epoch), value in zip(training, (0.01, None), strict=False):
            self.tell("report_and_die", job["number"], epoch, {"val/score": value, "train/loss": 1.0}, 20.0, True)

    # Inside

    def _next(self) -> float | None:
        """When something happens next: an epoch ends, or a pause after an outage."""
        status = self._study.status()
        times = [step[0] for step in self._steps[:1]] + ([status["disk_retry_at"]] if status["disk_full"] else [])
        times += [] if status["workers_retry_at"] is None else [status["workers_retry_at"]]
        return min(times, default=None)

    def _start(self) -> None:
        """Give the idle workers jobs, until there is none."""
        while self._idle and (job := self.tell("next_job")) is not None:
            worker = self._idle.pop(0)
            self.tell("place", job["number"], {"host": f"host-{worker}", "device": "cpu"})
            self._begin(worker, job, self._first_epoch(job))

    def _begin(self, worker: int, job: dict[str, Any], epoch: int) -> None:
        seconds = 20.0 * self._speeds[worker] * self._rng.lognormvariate(0.0, 0.3)
        sudden = self._breaks(job) or (epoch == 1 and job["number"] in DOOMED.keys() | self._refused)
        heapq.heappush(self._steps, (round(self.now + (1.0 if sudden else seconds), 3), worker, job, epoch))

    def _step(self) -> None:
        self.now, worker, job, epoch = heapq.heappop(self._steps)
        if self._epoch(job, epoch):
            self._begin(worker, job, epoch + 1)
        else:
            self._idle.append(worker)

    def _breaks(self, job: dict[str, Any]) -> bool:
        return self._broken and job["attempt"] == 1

    def _first_epoch(self, job: dict[str, Any]) -> int:
        """After the newest checkpoint, or after the one before where that is corrupt."""
        newest = job["checkpoint_epoch"]
        if newest is None:
            return 1
        earlier = [epoch for epoch in self._study.saved_epochs(job["number"]) if epoch < newest]
        corrupt = self._rng.random() < CORRUPT
        return 1 + (max(earlier, default=0) if corrupt else newest)

    def _metrics(self, job: dict[str, Any], epoch: int) -> dict[str, Any]:
        noise = random.Random(f"{job['number']}/{epoch}/{job['attempt']}").gauss(0.0, NOISE)
        score = toy.score_at(job["config"]["lr"], epoch) + noise
        return {"val/score": score, "train/loss": 1.0 - score}

    def _report(self, job: dict[str, Any], epoch: int, metrics: dict[str, Any]) -> bool:
        seconds, saved = round(self._rng.uniform(8.0, 40.0), 3), self._rng.random() < SAVED
        return self.tell("report", job["number"], epoch, metrics, seconds, saved)[0] == "continue"

    def _epoch(self, job: dict[str, Any], epoch: int) -> bool:
        """One epoch of a worker. Does it go on with the trial?"""
        number = job["number"]
        if epoch > EPOCHS:
            self.tell("complete", number)
            return False
        if self._breaks(job):
            self.tell("fail", number, "exception", "KeyError: 'x'", "train.py:9")
            return False
        fault = self._fault(number, epoch)
        if fault is None:
            return self._report(job, epoch, self._metrics(job, epoch))
        if fault == "nan":
            return self._report(job, epoch, {"val/score": None, "train/loss": 0.5})
        if fault == "unnamed":
            return self._report(job, epoch, {"val/acc": 0.5})
        if fault == "way":
            if self._report(job, epoch, self._metrics(job, epoch)):
                self.tell("pause", number, "gave way to another study")
            return False
        message = f"{fault} in epoch {epoch}"
        self.tell("fail", number, fault, message, f"train.py:{number}" if fault == "exception" else None)
        return False

    def _fault(self, number: int, epoch: int) -> str | None:
        if number in self._refused:
            self._refused.discard(number)
            return "storage"
        if epoch == 1 and number in DOOMED:
            return DOOMED[number]
        harmless = [fault for fault in FAULTS if fault not in FATAL] if number <= len(RAW["baselines"]) else FAULTS
        return self._rng.choice(harmless) if self._rng.random() < FAULTY else None


def simulate(folder: Path, seed: int) -> list[list[Any]]:
    """The whole study: [time, call, arguments, answer] of each call."""
    simulation = Simulation(folder, seed)
    simulation.session(lasts=300.0)
    simulation.tell("stop", "interrupted", "interrupted")
    simulation.wind_down(reports=2)
    simulation.session(lasts=300.0)
    simulation.die()
    simulation.session(broken=True)
    simulation.wind_down(reports=0)
    simulation.session(lasts=300.0, ends=300.0)
    simulation.tell("stop", "the deadline came", "paused")
    simulation.wind_down(reports=4)
    simulation.session(ends=5.0)
    simulation.wind_down(reports=0)
    simulation.session()
    simulation.wind_down(reports=0)
    simulation.session()
    simulation.tell("trials")
    return simulation.events


def record(seed: int = 20) -> None:
    with tempfile.TemporaryDirectory() as folder:
        events = simulate(Path(folder), seed)
    lines = ",\n".join(json.dumps(event, separators=(",", ":"), allow_nan=False) for event in events)
    RECORDED.write_text(f'{{"study": {json.dumps(RAW)},\n"events": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    record()
