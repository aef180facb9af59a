"""Checks what `tune show` says about the checkpoints of a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.checkpoints.open_storage import open_storage
from orchestrator.checkpoints.storage import storage_address
from orchestrator.home import Home
from orchestrator.ledger import Ledger
from orchestrator.study_file.study_spec import load_study
from orchestrator.trial import Report, State
from tune.show import show_study, show_trial
from tune.summary import study_summary


@pytest.mark.parametrize("storage", [None, "shared", "url"])
def test_show_names_the_best_checkpoint_and_what_all_of_them_take(
    home: Path, toy_study: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], storage: str | None
):
    addresses = {None: None, "shared": str(tmp_path / "shared"), "url": (tmp_path / "bucket").as_uri()}
    at_home, ledger = Home.at(home), Ledger(home / "ledger.db")
    spec = load_study(toy_study(storage=addresses[storage]))
    row = ledger.create_study(spec.study, spec.raw, spec.objective.objective, {})
    number = ledger.add_trial(row.id, {"lr": 0.1}).number
    kept = open_storage(storage_address(row.raw, row.uid), at_home.study(row.name))
    for epoch, score in enumerate([0.3, 0.5, 0.4], start=1):
        kept.write(number, epoch, lambda directory: (directory / "model.pt").write_bytes(bytes(10**6)) and None)
        ledger.record(row.id, number, Report(epoch, {"val/score": score}, 1.0, 0.0, checkpoint=True))
    ledger.finish(row.id, number, State.PAUSED)
    why = "the checkpoint of epoch 3 is corrupt: model.pt is missing; went on from the checkpoint of epoch 2"
    ledger.set_facts(row.id, number, {"checkpoint": why})
    trials = ledger.trials(row.id)
    summary = study_summary(row, trials, at_home)
    named = summary["best"]["checkpoint"]
    assert named == summary["trials"][0]["checkpoint"]
    assert named.endswith("trials/0001/checkpoint/epoch-0002")
    assert named.startswith(f"{addresses[storage]}/toy-{row.uid[:8]}/" if storage else str(home / "toy"))
    assert summary["checkpoints"] == {"count": 3, "bytes": 3 * 10**6, "problem": None}
    show_study(row, trials, at_home)
    show_trial(row, trials[0], at_home)
    said = capsys.readouterr().out
    assert "checkpoints kept: 3, 3.0 MB" in said and f"last attempt: {why}" in said
    kept.delete(number, 2)
    assert study_summary(row, trials, at_home)["best"]["checkpoint"].endswith("epoch-0003")


def test_show_says_why_it_cannot_look_at_a_store(
    home: Path, toy_study: Callable[..., Path], capsys: pytest.CaptureFixture[str]
):
    at_home, ledger = Home.at(home), Ledger(home / "ledger.db")
    spec = load_study(toy_study(storage="nosuchscheme://bucket"))
    row = ledger.create_study(spec.study, spec.raw, spec.objective.objective, {})
    show_study(row, [], at_home)
    assert "checkpoints: nosuchscheme://bucket/toy-" in capsys.readouterr().out
