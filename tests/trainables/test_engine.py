"""Checks the epoch loop against plain torch, and against itself without interruption."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainables import LocalRun, check_resumes
from trainables.checkpoint import MODEL_FILE, TRAINING_FILE, checkpoint_epoch, load_weights
from trainables.engine import Task, cut, fit, random_states, restore_random_states, seed_everything
from trainables.train_config import TrainConfig

DEFAULTS = {"epochs": 4, "lr": 0.05, "lr_schedule": "constant", "gradient_clip": 0.0, "weight_decay": 0.0}


class NoisyNet(nn.Module):
    """Has dropout and batch normalisation, so that whatever a resumed run forgets shows."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        noise = random.random() + float(np.random.rand())  # The states of Python and NumPy matter too.
        error = (self.layers(batch["x"]) - batch["y"] - 0.01 * noise).square().mean()
        return {"loss": error, "l2": error}


class Line(nn.Module):
    """Computes y = w x, without randomness."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[0.5, -1.0, 2.0, 0.0]]))

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": (batch["x"] @ self.weight.T - batch["y"]).square().mean()}


def batches(epoch: int, count: int = 5, size: int = 6) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(epoch)
    xs = torch.randn(count, size, 4, generator=generator)
    return [{"x": x, "y": x.sum(1, keepdim=True)} for x in xs]


def task_of(model: nn.Module, scores: list[float] | None = None) -> Task:
    given = iter(scores or [])

    def evaluate(model: nn.Module, epoch: int) -> dict[str, float]:
        assert not model.training
        weight_sum = float(sum(p.detach().double().sum() for p in model.parameters()))
        return {"val/score": next(given) if scores else weight_sum}

    return Task(model, batches, 5, evaluate, "val/score")


def train_noisy(config: TrainConfig, run: LocalRun) -> Iterator[dict[str, float]]:
    seed_everything(run.seed)
    return fit(task_of(NoisyNet()), config, run)


def contents(directory: Path) -> dict[str, object]:
    return torch.load(directory / TRAINING_FILE, weights_only=True) | {"weights": load_weights(directory)}


def assert_same(a: object, b: object) -> None:
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, Tensor):
        assert torch.equal(a, b)
    else:
        assert a == b


@pytest.mark.parametrize("settings", [{}, {"ema_decay": 0.9}, {"optimizer": "sgd"}, {"accumulation_steps": 2}])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_by_bit(tmp_path: Path, settings: dict[str, object]) -> None:
    config = TrainConfig(**{**DEFAULTS, "lr_schedule": "cosine", **settings})
    check_resumes(train_noisy, config, tmp_path, seed=3)
    [resumed] = (tmp_path / "after-epoch-3").iterdir()
    assert_same(contents(resumed), contents(tmp_path / "whole" / "checkpoint-4"))


def test_one_epoch_equals_a_loop_of_plain_torch(tmp_path: Path) -> None:
    model, reference = Line(), Line()
    config = TrainConfig(**{**DEFAULTS, "epochs": 2, "optimizer": "adamw", "momentum": 0.9})
    reports = list(fit(task_of(model), config, LocalRun(tmp_path)))
    optimizer = torch.optim.AdamW(reference.parameters(), lr=0.05, betas=(0.9, 0.999), weight_decay=0.0)
    losses = []
    for epoch in (1, 2):
        for batch in batches(epoch):
            optimizer.zero_grad()
            loss = reference.loss(batch)["loss"]
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    torch.testing.assert_close(model.weight, reference.weight)
    assert reports[0]["train/loss"] == pytest.approx(np.mean(losses[:5]), rel=1e-5)
    assert reports[1]["train/loss"] == pytest.approx(np.mean(losses[5:]), rel=1e-5)


def test_a_batch_in_pieces_gives_the_gradient_of_the_whole_batch(tmp_path: Path) -> None:
    models = []
    for steps in (1, 4):  # 6 items in 4 pieces: sizes 1, 2, 1, 2
        models.append(Line())
        config = TrainConfig(**{**DEFAULTS, "epochs": 1, "optimizer": "sgd", "accumulation_steps": steps})
        list(fit(task_of(models[-1]), config, LocalRun(tmp_path)))
    torch.testing.assert_close(models[0].weight, models[1].weight)


def test_pieces_cover_the_batch_in_order() -> None:
    batch = {"x": torch.arange(7)}
    assert [piece["x"].tolist() for piece in cut(batch, 3)] == [[0, 1], [2, 3], [4, 5, 6]]
    assert [piece["x"].tolist() for piece in cut({"x": torch.arange(2)}, 5)] == [[0], [1]]


def test_gradients_are_clipped_to_the_norm_asked_for(tmp_path: Path) -> None:
    model, start = Line(), Line()
    config = TrainConfig(**{**DEFAULTS, "epochs": 1, "optimizer": "sgd", "momentum": 0.0, "lr": 1.0})
    clipped = TrainConfig(**{**vars(config), "gradient_clip": 0.01})
    list(fit(task_of(model), clipped, LocalRun(tmp_path)))
    assert float((model.weight - start.weight).detach().norm()) <= 5 * 0.01 + 1e-6  # five steps


def told_by(run: Generator[dict[str, float], None, str | None]) -> tuple[list[dict[str, float]], str | None]:
    """Returns the reports of a run, and what it says of its end."""
    reports = []
    while True:
        try:
            reports.append(next(run))
        except StopIteration as end:
            return reports, end.value


def test_it_ends_when_the_metric_has_not_improved_for_as_long_as_asked(tmp_path: Path) -> None:
    scores = [0.1, 0.5, 0.4, 0.5, 0.45, 0.9]
    config = TrainConfig(**{**DEFAULTS, "epochs": 6, "early_stopping_patience": 3})
    reports, said = told_by(fit(task_of(Line(), scores), config, LocalRun(tmp_path)))
    assert [report["val/score"] for report in reports] == scores[:5]  # An equal score is no improvement.
    assert said == "stopped early: val/score did not improve for 3 epochs"


def test_it_watches_what_the_scheduler_decides_by(tmp_path: Path) -> None:
    config = TrainConfig(**{**DEFAULTS, "epochs": 5, "early_stopping_patience": 2})
    task = replace(
        task_of(Line()), evaluate=lambda model, epoch: {"val/score": 0.1 * epoch, "val/ned": 1 - 0.1 * epoch}
    )
    for watch, epochs, reason in (
        (("val/ned", "max"), 3, "stopped early: val/ned did not improve for 2 epochs"),
        (("val/ned", "min"), 5, None),
        (("val/no_such_metric", "max"), 5, None),  # What the task names is watched instead.
    ):
        reports, said = told_by(fit(task, config, LocalRun(tmp_path / "-".join(watch).replace("/", "-"), watch=watch)))
        assert (len(reports), said) == (epochs, reason)


def test_patience_survives_a_restart(tmp_path: Path) -> None:
    config = TrainConfig(**{**DEFAULTS, "epochs": 9, "early_stopping_patience": 2})
    run = LocalRun(tmp_path)
    first = fit(task_of(Line(), [0.5, 0.4, 0.3]), config, run)
    next(first), next(first)
    run.checkpoint_dir = run.saved[-1]
    assert len(list(fit(task_of(Line(), [0.3]), config, run))) == 1


def test_a_finished_run_has_nothing_to_add(tmp_path: Path) -> None:
    run = LocalRun(tmp_path)
    config = TrainConfig(**{**DEFAULTS, "epochs": 2})
    assert len(list(fit(task_of(Line()), config, run))) == 2
    run.checkpoint_dir = run.saved[-1]
    assert list(fit(task_of(Line()), config, run)) == []


def test_a_loss_that_is_not_finite_is_reported_once_and_ends_the_run_without_a_checkpoint(tmp_path: Path) -> None:
    run = LocalRun(tmp_path)
    config = TrainConfig(**{**DEFAULTS, "epochs": 5, "optimizer": "sgd", "lr": 1e30})
    reports = list(fit(task_of(Line()), config, run))
    assert len(reports) == 1
    assert not math.isfinite(reports[0]["train/loss"]) and math.isnan(reports[0]["val/score"])
    assert run.saved == []


def test_a_diverged_epoch_is_not_finished(tmp_path: Path) -> None:
    seen = []

    def loader(epoch: int):
        for batch in batches(epoch, count=100):
            seen.append(batch)
            yield {**batch, "y": batch["y"] * math.nan}

    task = Task(Line(), loader, 100, lambda model, epoch: {"val/score": 0.0}, "val/score")
    list(fit(task, TrainConfig(**DEFAULTS), LocalRun(tmp_path)))
    assert len(seen) < 20


def test_a_checkpoint_says_its_epoch_and_predicts_with_plain_weights(tmp_path: Path) -> None:
    run, model = LocalRun(tmp_path), Line()
    list(fit(task_of(model), TrainConfig(**{**DEFAULTS, "epochs": 3}), run))
    assert [checkpoint_epoch(directory) for directory in run.saved] == [1, 2, 3]
    assert {file.name for file in run.saved[-1].iterdir()} == {MODEL_FILE, TRAINING_FILE}
    fresh = Line()
    fresh.load_state_dict(load_weights(run.saved[-1]))
    assert torch.equal(fresh.weight, model.weight)


class Intruder:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return Path.write_text, (self.file, "here")


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    for name in (MODEL_FILE, TRAINING_FILE):
        torch.save({"weight": Intruder(tmp_path / "intruder"), "epoch": 1}, tmp_path / name)
    run = LocalRun(tmp_path, checkpoint_dir=tmp_path)
    for load in (load_weights, checkpoint_epoch, lambda folder: next(fit(task_of(Line()), TrainConfig(), run))):
        with pytest.raises(pickle.UnpicklingError):
            load(tmp_path)
    assert not (tmp_path / "intruder").exists()


def test_the_averaged_weights_are_those_that_are_scored_and_kept(tmp_path: Path) -> None:
    run, model = LocalRun(tmp_path), Line()
    config = TrainConfig(**{**DEFAULTS, "epochs": 1, "ema_decay": 0.5})
    [report] = list(fit(task_of(model), config, run))
    kept = load_weights(run.saved[-1])["weight"]
    assert report["val/score"] == pytest.approx(float(kept.double().sum()))
    assert not torch.equal(kept, model.weight)
    assert torch.equal(contents(run.saved[-1])["model"]["weight"], model.weight)


def test_random_states_come_back_for_python_numpy_and_torch(tmp_path: Path) -> None:
    seed_everything(5)
    torch.save(random_states(), tmp_path / "states.pt")
    drawn = random.random(), np.random.rand(), np.random.randn(), torch.rand(3).tolist()
    restore_random_states(torch.load(tmp_path / "states.pt", weights_only=True))
    assert (random.random(), np.random.rand(), np.random.randn(), torch.rand(3).tolist()) == drawn


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_learns_on_a_cpu_too(tmp_path: Path, precision: str) -> None:
    config = TrainConfig(**{**DEFAULTS, "epochs": 3, "precision": precision})
    reports = list(fit(task_of(Line()), config, LocalRun(tmp_path)))
    assert reports[-1]["train/loss"] < reports[0]["train/loss"]


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["auto", "fp16", "fp32"])
def test_a_gpu_learns_at_every_precision(tmp_path: Path, precision: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    config = TrainConfig(**{**DEFAULTS, "epochs": 3, "precision": precision})
    reports = list(fit(task_of(Line()), config, LocalRun(tmp_path, device="cuda")))
    assert reports[-1]["train/loss"] < reports[0]["train/loss"] and reports[-1]["peak_memory_gb"] > 0
