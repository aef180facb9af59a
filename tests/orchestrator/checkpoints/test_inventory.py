"""What `tune show` says of the checkpoints of a study, and why a trial did not go on from its newest one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.checkpoints.open_storage import storage_at
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
    places = {None: None, "shared": str(tmp_path / "shared"), "url": (tmp_path / "bucket").as_uri()}
    place, ledger = Home.at(home), Ledger(home / "ledger.db")
    spec = load_study(toy_study(storage=places[storage]))
    row = ledger.create_study(spec.study, spec.raw, spec.objective.objective, {})
    number = ledger.add_trial(row.id, {"lr": 0.1}).number
    kept = storage_at(storage_address(row.raw, row.uid), place.study(row.name))
    for epoch, score in enumerate([0.3, 0.5, 0.4], start=1):
        kept.write(number, epoch, lambda directory: (directory / "model.pt").write_bytes(bytes(10**6)) and None)
        ledger.record(row.id, number, Report(epoch, {"val/score": score}, 1.0, 0.0, checkpoint=True))
    ledger.finish(row.id, number, State.PAUSED)
    why = "the checkpoint of epoch 3 is corrupt: model.pt is missing; went on from the checkpoint of epoch 2"
    ledger.set_facts(row.id, number, {"checkpoint": why})
    trials = ledger.trials(row.id)
    summary = study_summary(row, trials, place)
    named = summary["best"]["checkpoint"]
    assert named == summary["trials"][0]["checkpoint"]
    assert named.endswith("trials/0001/checkpoint/epoch-0002")
    assert named.startswith(f"{places[storage]}/toy-{row.uid[:8]}/" if storage else str(home / "toy"))
    assert summary["checkpoints"] == {"count": 3, "bytes": 3 * 10**6, "problem": None}
    show_study(row, trials, place)
    show_trial(row, trials[0], place)
    said = capsys.readouterr().out
    assert "checkpoints kept: 3, 3.0 MB" in said and f"last attempt: {why}" in said
    kept.delete(number, 2)
    assert study_summary(row, trials, place)["best"]["checkpoint"].endswith("epoch-0003")


def test_show_says_why_it_cannot_look_at_a_store(
    home: Path, toy_study: Callable[..., Path], capsys: pytest.CaptureFixture[str]
):
    place, ledger = Home.at(home), Ledger(home / "ledger.db")
    spec = load_study(toy_study(storage="nosuchscheme://bucket"))
    row = ledger.create_study(spec.study, spec.raw, spec.objective.objective, {})
    show_study(row, [], place)
    assert "checkpoints: nosuchscheme://bucket/toy-" in capsys.readouterr().out
