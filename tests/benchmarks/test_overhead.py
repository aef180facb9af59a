"""What the benchmark of the driver's cost makes of times that are known, and its large study in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import overhead
from benchmarks.driver import large

COSTS = {"ours": (6.0, 0.002, 0.05), "plain": (8.0, 0.020, 0.20), "lean": (7.0, 0.010, 0.04)}  # start, report, trial: s


def test_a_report_and_a_trial_cost_what_the_shapes_of_the_study_differ_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def seconds(kind: str, place: Path, trials: int, epochs: int) -> float:
        start, report, trial = COSTS[kind]
        return start + trials * (epochs - 1) * report + trials * trial

    monkeypatch.setattr(overhead, "_seconds", seconds)
    assert overhead.beside_ray(tmp_path, rounds=1)
    rows = {line[:20].strip(): line[20:].split()[:3] for line in capsys.readouterr().out.splitlines()}
    for kind, (_, report, trial) in COSTS.items():
        assert rows[kind][1:] == [f"{1000 * report:.2f}", f"{1000 * trial:.1f}"]
    assert rows["ours / plain"][:2] == ["0.10", "0.25"]
    monkeypatch.setitem(COSTS, "ours", (6.0, 0.002, 0.15))
    assert not overhead.beside_ray(tmp_path, rounds=1)


def test_the_large_study_in_small_comes_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tenths = large.show(tmp_path, trials=20, epochs=3)
    assert [tenth.trials for tenth in tenths] == list(range(2, 21, 2))
    assert sum(tenth.reports for tenth in tenths) == 20 * 3
    assert "20 counted" in capsys.readouterr().out  # 100 is the first trial that MLflow takes for real
