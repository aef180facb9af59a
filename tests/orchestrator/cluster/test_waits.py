"""A session that waits for a cluster: what it says, that its lease stays alive, that it can be stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cluster.session import NotWaitedFor, Waits
from tests.harness.fake_cluster import FakeCluster


class Beats:
    """Counts the signs of life of a lease."""

    count = 0

    def beat(self) -> None:
        self.count += 1


class Said(list[str]):
    """Keeps the lines that a progress display was told."""

    def say(self, line: str) -> None:
        self.append(line)


def test_what_is_waited_for_is_said_within_ten_seconds_then_seldom_and_at_once_where_it_changes(tmp_path: Path):
    upkeep, said = Beats(), Said()
    study = FakeCluster(tmp_path).study
    waits = Waits(study, upkeep, said)  # type: ignore[arg-type]  # These are all that it uses of them.
    for seconds in range(30):
        waits(float(seconds), "Ray to start")
    assert said == [f"toy: waiting for Ray to start, for {seconds} s by now" for seconds in (6, 12, 24)]
    assert upkeep.count == 30
    waits(30.0, "process 7 (suspended), which starts Ray")
    assert said[3:] == ["toy: waiting for process 7 (suspended), which starts Ray, for 30 s by now"]
    study.stop("the deadline came")
    with pytest.raises(NotWaitedFor):
        waits(31.0, "Ray to start")
