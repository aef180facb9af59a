"""Gives each fault chance and scenes to happen in, and counts what it did: a row of the table."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fault.audit import Losses, Result, Snapshot, losses, result_of, same_result
from benchmarks.fault.scene import Scene, Session

# One trial at a time: with several, the order of their reports decides who is pruned, and chance decides the order.
ONE_AT_A_TIME = {
    "scheduler": {"name": "asha", "eta": 2},
    "resources": {"gpu": 0, "cpu": 1, "concurrent": 1},
    "budget": {"trials": 8},
}
SMALL = {"budget": {"trials": 4}}
TWO_AT_A_TIME: dict[str, Any] = {}  # the scene's own: two at a time, and nothing is pruned


class Impossible(Exception):
    """Says that the fault cannot be caused on this machine, and what is missing."""


@dataclass(frozen=True)
class Undisturbed:
    """Holds a study to which nothing happened. seconds: of its session."""

    result: Result
    seconds: float


class References:
    """Runs the studies to which nothing happens, when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Undisturbed] = {}

    def of(self, sections: dict[str, Any]) -> Undisturbed:
        key = repr(sections)
        if key not in self._known:
            scene = Scene(self._folder / f"undisturbed-{len(self._known)}", **sections)
            began = time.monotonic()
            session = scene.finish()
            found = losses(scene, ends=("completed", "pruned"))
            assert session.process.returncode == 0 and not found.lines, (session.said, found.lines)
            self._known[key] = Undisturbed(result_of(scene), time.monotonic() - began)
        return self._known[key]


@dataclass
class Stage:
    """Belongs to one fault. same: whether every disturbed study ended as the undisturbed one; None: chance decides."""

    folder: Path
    rng: random.Random
    references: References
    scenes: list[Scene] = field(default_factory=list)
    caused: int = 0
    same: bool | None = None
    losses: Losses = field(default_factory=Losses)

    def scene(self, **sections: Any) -> Scene:
        self.scenes.append(Scene(self.folder / str(len(self.scenes)), **sections))
        return self.scenes[-1]

    def expect(self, holds: object, promise: str) -> None:
        if not holds:
            self.losses.wrong.append(promise)

    def judge(
        self,
        scene: Scene,
        snapshots: Sequence[Snapshot] = (),
        *,
        ends: Sequence[str] = ("completed",),
        like: Undisturbed | None = None,
    ) -> None:
        """Counts what the scene's study lost, once it has ended, and after `tune sync` where that is what it advised.

        ends: the states in which its trials may be.
        """
        if "send it with: tune sync" in scene.sessions[-1].said:
            self.ended(scene.tune("sync", scene.name))
        self.losses.add(losses(scene, snapshots, ends=ends))
        page = scene.home / scene.name / "report" / "report.html"
        last = max(line.at for line in scene.begun())
        self.expect(page.exists() and page.stat().st_mtime > last, "the report must be written after the last epoch")
        if like is not None:
            self.same = self.same is not False and same_result(result_of(scene), like.result)

    def finish(self, scene: Scene, *words: str, status: int = 0) -> None:
        """Types the same command until the study has ended."""
        self.ended(scene.start(*words), status)

    def ended(self, session: Session, status: int = 0) -> None:
        """Waits for it."""
        found = session.ended()
        self.expect(found == status, f"a session must exit with {status}, but did with {found}: {session.said[-1500:]}")

    @property
    def runs(self) -> int:
        return sum(len(scene.sessions) for scene in self.scenes)

    def clear(self) -> None:
        for scene in self.scenes:
            scene.clear()


Fault = Callable[[Stage], None]
